"""Secrets that are shown once: keys for programs, the tokens of sessions and links. Only their SHA-256 is kept."""

import secrets
from hashlib import sha256
from string import ascii_lowercase, ascii_uppercase, digits
from zlib import crc32

KEY_PREFIX = "dk_"
BASE62 = digits + ascii_uppercase + ascii_lowercase
RANDOM_LENGTH, CHECK_LENGTH = 32, 6  # characters
TOKEN_BYTES = 32


def new_key() -> str:
    """Return a new key: dk_, 32 random letters and digits, and 6 that say whether it was mistyped."""
    random = "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    return KEY_PREFIX + random + _check(random)


def is_key(text: str) -> bool:
    """Return whether a text is a key that was not mistyped or truncated. Whether it exists is another question."""
    random, check = text[len(KEY_PREFIX) : -CHECK_LENGTH], text[-CHECK_LENGTH:]
    complete = text.startswith(KEY_PREFIX) and len(random) == RANDOM_LENGTH and set(random) <= set(BASE62)
    return complete and secrets.compare_digest(check.encode(), _check(random).encode())


def new_token() -> str:
    """Return a new token of a session or a link, which fits into a URL."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal. A secret is long and random, so it needs no salt."""
    return sha256(secret.encode()).hexdigest()


def _check(random: str) -> str:
    """Return the CRC-32 of the random part in base 62, so that scanners and people notice a typo without us."""
    rest, check = crc32(random.encode()), ""
    for _ in range(CHECK_LENGTH):
        rest, place = divmod(rest, len(BASE62))
        check = BASE62[place] + check
    return check
