"""Addresses of files that are read without a key for a while, for programs that do not send theirs where a file is.

The signature is of one file and one time, and says nothing of the key. Everyone can read Replicate's and OpenAI's own
addresses of results for an hour, too.
"""

import hmac
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from secrets import token_bytes
from uuid import UUID

from tasks.db.account_tables import SigningKey

MEDIA = "media"
"""The name of the key that signs addresses of files."""
VALID_SECONDS = 3600
"""For which a signature is valid at least; at most twice as long, so that an address stays the same for a while."""
KEY_BYTES = 32
SIGNATURE_BYTES = 18  # in base64 without padding
NEW_KEY = "INSERT INTO signing_key (name, secret) VALUES ({}, {}) ON CONFLICT DO NOTHING"

Sign = Callable[[str], str]
"""Returns the query of the address of a file, with its ?, for the file's name below /media/."""


def unsigned(_: str) -> str:
    """Return no query: the address is for those who show who they are."""
    return ""


async def sign_for(person: UUID | None) -> Sign:
    """Return what signs the addresses that a person is told of. In the open house, None, nothing needs that."""
    return unsigned if person is None else await signer()


async def signer(clock: Callable[[], float] = time.time) -> Sign:
    """Return what signs addresses, until they expire. clock: Unix seconds."""
    secret = await _secret()
    expires = (int(clock()) // VALID_SECONDS + 2) * VALID_SECONDS
    return lambda key: f"?expires={expires}&signature={_signature(secret, key, str(expires))}"


async def is_valid(key: str, expires: str, signature: str, clock: Callable[[], float] = time.time) -> bool:
    """Return whether a file may be read by an address with this query. All of it may be any text."""
    if not (expires.isascii() and expires.isdecimal() and len(expires) < 12 and int(expires) > clock()):
        return False
    expected = _signature(await _secret(), key, expires)
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))


async def _secret() -> str:
    """Return the key that signs. Makes it if there is none."""
    while (row := await SigningKey.objects().get(SigningKey.name == MEDIA)) is None:
        await SigningKey.raw(NEW_KEY, MEDIA, b64encode(token_bytes(KEY_BYTES)).decode())
    return str(row.secret)


def _signature(secret: str, key: str, expires: str) -> str:
    digest = hmac.digest(secret.encode(), f"{key}\n{expires}".encode(), sha256)
    return urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode()
