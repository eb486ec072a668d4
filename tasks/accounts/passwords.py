"""Passwords: which ones are accepted, and their hashes by argon2id.

Hashing takes some fifty milliseconds and 64 MiB on purpose, so it runs in a thread, a few at a time.
"""

import asyncio
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

COMMON = Path(__file__).with_name("common_passwords.txt")
MIN_LENGTH, MAX_LENGTH = 12, 256  # characters
MAX_AT_ONCE = 4  # hashes that one process computes at the same time
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$jD9vii2p/Fin0QF9wX/Iuw$bQzgYjGX31ST3X1TWsOl2JMwZGJM1vOk1oDgF3ILocU"
"""A hash that no password is checked against but for the time that it takes."""


class Passwords:
    """Hashes passwords and checks them. A process has one."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)

    async def hashed(self, password: str) -> str:
        """Return the hash of a password."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, hashed: str | None) -> bool:
        """Return whether a password is the one that was hashed. Takes as long when there is none: hashed is None."""
        async with self._turns:
            return await asyncio.to_thread(self._verify, password, hashed or NOBODYS) and hashed is not None

    def _verify(self, password: str, hashed: str) -> bool:
        try:
            return self._hasher.verify(hashed, password[: MAX_LENGTH + 1])
        except VerifyMismatchError:
            return False


def fault(password: str) -> str | None:
    """Return why a password is not accepted, as a sentence, or None when it is."""
    if len(password) < MIN_LENGTH:
        return f"The password must have at least {MIN_LENGTH} characters."
    if len(password) > MAX_LENGTH:
        return f"The password can have up to {MAX_LENGTH} characters."
    if len(set(password)) < 4 or password.lower() in _common():
        return "This password is one of the first that anyone would try. Choose another."
    return None


@cache
def _common() -> frozenset[str]:
    return frozenset(COMMON.read_text().split())
