"""A process that forks instances of an application on command, so that a start costs no import.

    start NAME STATE_DIR   forks an instance: prints "NAME pid"
    end                    ends; instances go on

It never opens the log itself: what a forked child must not share does not exist. Instances end
when they are killed, or cleanly on SIGTERM.
"""

import faulthandler
import gc
import os
import signal
import sys
from typing import Any

import tests.streams.runtime.kill_application as application


def main() -> None:
    """Serve commands until `end`."""
    config = application.decode_config(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    for line in sys.stdin:
        words = line.split()
        if words[0] == "end":
            return
        pid = os.fork()
        if pid == 0:
            _live(config, words[1], words[2])
        sys.stdout.write(f"{words[1]} {pid}\n")
        sys.stdout.flush()


def _live(config: dict[str, Any], name: str, state_dir: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        log = os.open(f"{config['journal']}/{name}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        faulthandler.register(signal.SIGUSR1)  # where its threads stand, when nothing moves
        application.run(config, state_dir)
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
