"""`pylog users`: who may log in to the server of a folder with SCRAM, or with PLAIN.

The password is asked for on a terminal, else it is the first line of stdin: an argument would stand
in the list of processes. A server that runs takes a change up within a second.
"""

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pylog.cli import console, options
from pylog.cli.failures import CommandError

if TYPE_CHECKING:
    from pylog.server.credentials import Credentials

app = typer.Typer(no_args_is_help=True, help="Users of the server on a folder.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


@app.command(epilog="Example: echo secret | pylog users add alice")
def add(name: NameArgument, folder: options.FolderOption = "") -> None:
    """Let a user log in, or give it another password. Makes the folder if it does not exist yet."""
    from pylog.log_dir import LogDir
    from pylog.server import scram
    from pylog.server.credentials import Credentials

    if not name or "\0" in name:
        raise CommandError("a user has a name", exit_code=2)
    password = _read_password()
    # A folder that holds users and is no log yet would be refused by every server.
    with LogDir.open(folder):
        Credentials(folder).set_password(name, password, scram.MECHANISMS.values())


@app.command("list")
def list_users(folder: options.FolderOption = "", json_output: options.JsonOption = False) -> None:
    """Print the users and their mechanisms."""
    users = {name: sorted(kept) for name, kept in sorted(_open(folder).users.items())}
    if json_output:
        import json

        console.out(json.dumps(users))
        return
    for name, mechanisms in users.items():
        console.out(f"{name}  {', '.join(mechanisms)}")


@app.command()
def delete(name: NameArgument, folder: options.FolderOption = "") -> None:
    """Let a user log in no more; its connections stay."""
    from pylog.server import scram

    credentials = _open(folder)
    if name not in credentials.users:
        raise CommandError(f"there is no user {name}")
    credentials.change((name, mechanism, None) for mechanism in scram.MECHANISMS.values())


def _open(folder: str) -> "Credentials":
    from pylog.server.credentials import Credentials

    return Credentials(str(options.require_folder(folder)))


def _read_password() -> str:
    if sys.stdin is not None and console.is_terminal(sys.stdin):
        password = getpass.getpass("Password: ")
    else:
        password = "" if sys.stdin is None else sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("a password is needed: on a terminal, or as the first line of stdin")
    return password
