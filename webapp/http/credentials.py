"""The key in an Authorization header."""

from base64 import b64decode
from binascii import Error as NotBase64
from contextlib import suppress

from tasks.accounts.secrets import KEY_PREFIX

MAX_HEADER_LENGTH = 200  # characters


def key_in(authorization: str) -> str:
    """Return the key in a header: the token of Bearer, or the password of Basic, as curl -u sends it; "" for none.

    It may be mistyped. Old clients of Replicate say Token for Bearer. A proxy may pass on the Basic credentials that it
    has asked for itself: they are no keys.
    """
    kind, _, value = authorization[:MAX_HEADER_LENGTH].partition(" ")
    if kind.lower() in ("bearer", "token"):
        return value.strip() or "none"
    if kind.lower() == "basic":
        with suppress(NotBase64, UnicodeDecodeError):
            password = b64decode(value.strip(), validate=True).decode("ascii").partition(":")[2]
            return password if password.startswith(KEY_PREFIX) else ""
    return ""
