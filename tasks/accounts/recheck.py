"""Ask again who may stay: for what goes on long after its request was allowed, such as the stream of an open page."""

from collections.abc import Set as AbstractSet
from typing import Any

from piccolo.columns import Column

from tasks.accounts import people
from tasks.accounts.actors import OPEN_HOUSE, Actor
from tasks.db.account_tables import ApiKey, ApiSecret, Person, Session
from tasks.db.database import now
from tasks.db.tables import Condition


async def still_valid(actors: AbstractSet[Actor]) -> set[Actor]:
    """Return the actors whose session, or whose key with its secret, still works, and whose person is not disabled.

    The open house is valid as long as there is no person.
    """
    named = {actor for actor in actors if actor.person is not None}
    moment = now()
    enabled = await _among({actor.person for actor in named}, Person.id, Person.disabled_at.is_null())
    alive = await _among({actor.session for actor in named}, Session.id, Session.expires_at > moment)
    unexpired = ApiKey.expires_at.is_null() | (ApiKey.expires_at > moment)
    working = await _among({actor.key for actor in named}, ApiKey.id, ApiKey.revoked_at.is_null() & unexpired)
    shown = await _among({actor.secret_hash for actor in named}, ApiSecret.hash, ApiSecret.revoked_at.is_null())
    valid = {
        actor
        for actor in named
        if actor.person in enabled and actor.session in {None, *alive}
        if actor.key in {None, *working} and actor.secret_hash in {None, *shown}
    }
    return valid | ({OPEN_HOUSE} & actors if not await people.exist() else set())


async def _among(given: AbstractSet[object], column: Column, condition: Condition) -> set[Any]:
    """Return which of the given ids meet a condition. column: the primary key of their table."""
    ids = [each for each in given if each is not None]
    if not ids:
        return set()
    table = column._meta.table
    return {row[column._meta.name] for row in await table.select(column).where(column.is_in(ids) & condition)}
