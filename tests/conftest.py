"""What every test needs: Ctrl-C that reaches the programs under test.

A shell that starts a job in the background has it ignore SIGINT, and ignoring is inherited through
exec; a handler is not, so the programs that tests start get the default again.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
