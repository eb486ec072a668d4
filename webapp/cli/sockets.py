"""Listening sockets, bound before anything else starts, so that a busy port is detected first."""

import errno
import socket
from contextlib import suppress

from tasks.settings import Settings, SettingsError


def for_web(settings: Settings) -> socket.socket:
    """Return a socket that listens on HOST and PORT.

    Raises SettingsError with one line that names the wrong setting.
    """
    return _for("PORT", settings.host, settings.port)


def for_standin(settings: Settings) -> socket.socket:
    """Return a socket that listens on HOST and STANDIN_PORT.

    Raises SettingsError with one line that names the wrong setting.
    """
    return _for("STANDIN_PORT", settings.host, settings.standin_port)


def for_own_standin(settings: Settings) -> socket.socket:
    """Return a socket for this machine alone, on STANDIN_PORT or, when that is busy, on any free port."""
    with suppress(OSError):
        return _listen(socket.AF_INET, ("127.0.0.1", settings.standin_port))
    return _listen(socket.AF_INET, ("127.0.0.1", 0))


def _for(setting: str, host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return _listen(family, address)
    except (socket.gaierror, UnicodeError):
        raise SettingsError(f"HOST={host}: is not an address or name of this machine") from None
    except PermissionError:
        raise SettingsError(f"{setting}={port}: only root can use this port; choose one above 1023") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"{setting}={port}: another program is using this port; stop it, or change {setting}"
            ) from None
        raise SettingsError(f"HOST={host}: cannot listen there ({error.strerror})") from None


def _listen(family: int, address: tuple[str | int, ...] | tuple[int, bytes]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening
