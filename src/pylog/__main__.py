"""`python -m pylog`: the command line without the console script."""

from pylog.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
