"""What every test needs: Ctrl-C that reaches the programs under test, and Hypothesis without clock.

A shell that starts a job in the background has it ignore SIGINT, and ignoring is inherited through
exec; a handler is not, so the programs that tests start get the default again.
"""

import signal

import hypothesis

hypothesis.settings.register_profile("pylog", deadline=None)  # timings never decide a test
hypothesis.settings.load_profile("pylog")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
