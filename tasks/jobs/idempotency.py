"""Idempotency keys: a request that is repeated with its key makes nothing new, whatever became of the first response.

The row of a key is written in the transaction that makes what it names, so there is no moment at which only one of them
exists. It stays as long as the row of the job or the batch: even a deleted job is not made again.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.db.database import now
from tasks.db.request_tables import IdempotencyKey
from tasks.db.steps import Step, alike

Made = TypeVar("Made")

INSERT = (
    "INSERT INTO idempotency_key (id, request, job, batch, upload, created_at) VALUES ({}, {}, {}, {}, {}, {})"
    " ON CONFLICT (id) DO NOTHING RETURNING id"
)


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a request. id: of the sender and the key, as one hash. request: a hash of what was requested."""

    id: str
    request: str


class KeyTaken(Exception):  # the domain's term, like QueueFull
    """The error for a request whose key another one, which was carried out meanwhile, has: see find()."""


class KeyMismatch(Exception):  # the domain's term, like QueueFull
    """The error for a key that was sent with another request before."""


def of(sender: str, key: str, method: str, path: str, body: object) -> Key:
    """Return the key of a request. sender: whose keys it is among. body: as JSON has it, with members in any order."""
    said = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Key(_hash(sender, key), _hash(method, path, said))


async def once(
    key: Key | None, do: Callable[[], Awaitable[Made]], find_made: Callable[[IdempotencyKey], Awaitable[Made]]
) -> tuple[Made, bool]:
    """Carry out a request unless one with its key was. Returns what was made, and whether it was made before.

    do: enters the key with what it makes, or raises KeyTaken. find_made: returns what was made with a key. Raises
    KeyMismatch.
    """
    while True:
        if key is not None and (row := await find(key)):
            return await find_made(row), True
        try:
            return await do(), False
        except KeyTaken:
            continue  # by a request that was carried out meanwhile


def _hash(*texts: str) -> str:
    return sha256(json.dumps(texts).encode()).hexdigest()


async def find(key: Key) -> IdempotencyKey | None:
    """Return what a request with this key made, or None when there was none. Raises KeyMismatch."""
    row = await IdempotencyKey.objects().get(IdempotencyKey.id == key.id)
    if row is not None and row.request != key.request:
        raise KeyMismatch
    return row


async def is_taken(key: Key) -> bool:
    """Return whether a request with this key was carried out."""
    return await IdempotencyKey.exists().where(IdempotencyKey.id == key.id)


def entered(keys: Sequence[tuple[Key, UUID]]) -> Step:
    """Return the step that enters the keys of jobs. It returns too few rows when one of the keys is taken."""
    return alike([_insert(key, job=job) for key, job in sorted(keys, key=lambda pair: pair[0].id)], must=True)


async def enter(key: Key, *, job: UUID | None = None, batch: UUID | None = None, upload: str | None = None) -> None:
    """Enter what a request makes, inside the transaction under way, if there is one. Raises KeyTaken."""
    if not await IdempotencyKey.raw("{}", _insert(key, job, batch, upload)):
        raise KeyTaken


def _insert(key: Key, job: UUID | None = None, batch: UUID | None = None, upload: str | None = None) -> QueryString:
    return QueryString(INSERT, key.id, key.request, job, batch, upload, now())
