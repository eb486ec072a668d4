"""Keys for programs: made, found by their secret, rotated and revoked."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tasks.accounts import audit, secrets
from tasks.accounts.actors import PERMISSIONS, SCOPES, Actor, Permission, Role
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.account_tables import ApiKey, ApiSecret, Person
from tasks.db.coalesce import Rounds
from tasks.db.database import DB, now
from tasks.db.dialect import one_transaction_at_a_time
from tasks.db.tables import Condition
from tasks.errors import Fault, Rejected
from tasks.models.names import OWNER_AND_NAME

MAX_NAME_LENGTH = 64  # characters
MAX_MODELS = 20  # that a key may be limited to
MAX_AT_ONCE = 100  # secrets that one query finds
MAX_VALID_SECRETS = 2  # of one key, while programs change from one to the other
KEY_LOCK = 0x6B657973  # for one change of a person's keys at a time
USED_EVERY = timedelta(minutes=1)  # how often the last use of a secret is noted

FIND = (
    "SELECT api_secret.hash, person.id AS person, person.name AS owner, person.role, person.disabled_at,"
    " api_key.id AS key, api_key.name, api_key.scopes, api_key.models, api_key.expires_at, api_key.revoked_at,"
    " api_secret.revoked_at AS replaced_at, api_secret.used_at"
    " FROM api_secret JOIN api_key ON api_key.id = api_secret.key JOIN person ON person.id = api_key.person"
    " WHERE api_secret.hash IN ({})"
)


class KeyRefused(Exception):
    """The error of a key that does not work.

    code: key_mistyped, key_unknown, key_revoked or key_expired. news: the key, such as "anna/ci", when its refusal is
    to be noted: once in USED_EVERY.
    """

    def __init__(self, code: str, news: str = "") -> None:
        super().__init__(code)
        self.code, self.news = code, news


@dataclass(frozen=True, slots=True)
class Made:
    """A key that was just made, with its secret, which is shown now and never again."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A key as lists show it. secrets: those that are valid, the newest first."""

    key: ApiKey
    secrets: list[ApiSecret]

    @property
    def scopes(self) -> list[str]:
        """What it may do."""
        return self.key.scopes.split()

    @property
    def models(self) -> list[str]:
        """The only models that it may use; empty for all."""
        return list(json.loads(self.key.models)) if self.key.models else []

    @property
    def used_at(self) -> datetime | None:
        """When it was last used, to the minute, or None."""
        return max((secret.used_at for secret in self.secrets if secret.used_at), default=None)


async def add(
    person: Person,
    name: str,
    scopes: Collection[str],
    by: By,
    models: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> Made:
    """Make a key for a person or a service. models: the only ones that it may use; none for all. Raises Rejected."""
    faults = _faults(name.strip(), scopes, models)
    if faults:
        raise Rejected("invalid_key", faults)
    key = ApiKey(
        id=ids.new(), person=person.id, name=name.strip(), scopes=" ".join(sorted(set(scopes))),
        models=json.dumps(sorted(set(models))) if models else None, created_at=now(), expires_at=expires_at,
    )  # fmt: skip
    secret = secrets.new_key()
    async with DB.transaction():
        await one_transaction_at_a_time(KEY_LOCK, str(person.id))
        taken = (ApiKey.person == person.id) & (ApiKey.name == key.name) & ApiKey.revoked_at.is_null()
        if await ApiKey.exists().where(taken):
            raise Rejected("invalid_key", [Fault("/name", f"There is already a key named {key.name}.")])
        await ApiKey.insert(key)
        await ApiSecret.insert(_row(key.id, secret))
    expires = expires_at.isoformat() if expires_at else None
    after = {"scopes": key.scopes, "models": sorted(set(models)) or None, "expires": expires}
    await audit.note(by, "key added", f"{person.name}/{key.name}", after=after)
    return Made(key, secret)


def _faults(name: str, scopes: Collection[str], models: Sequence[str]) -> list[Fault]:
    faults = []
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable() or "/" in name:
        faults.append(Fault("/name", f"A key needs a name of up to {MAX_NAME_LENGTH} characters, without a slash."))
    if not scopes or not set(scopes) <= set(SCOPES):
        faults.append(Fault("/scopes", f"A key needs one or more of the scopes {', '.join(SCOPES)}."))
    if len(models) > MAX_MODELS or not all(map(OWNER_AND_NAME.fullmatch, models)):
        faults.append(Fault("/models", f"A key can be limited to up to {MAX_MODELS} models, each as owner/name."))
    return faults


async def find(secret: str) -> Actor:
    """Return who asks with a key. Raises KeyRefused."""
    if not secrets.is_key(secret):
        raise KeyRefused("key_mistyped")
    hashed, moment = secrets.digest(secret), now()
    row = await _found(hashed)
    if row is None:
        raise KeyRefused("key_unknown")
    news = row["used_at"] is None or moment - row["used_at"] > USED_EVERY
    if news:
        await ApiSecret.update({ApiSecret.used_at: moment}).where(ApiSecret.hash == hashed)
    name = f"{row['owner']}/{row['name']}" if news else ""
    if row["revoked_at"] or row["replaced_at"] or row["disabled_at"]:
        raise KeyRefused("key_revoked", name)
    if row["expires_at"] is not None and row["expires_at"] <= moment:
        raise KeyRefused("key_expired", name)
    return _actor(row)


async def _read(hashes: list[str]) -> list[dict[str, Any] | None]:
    """Return what is known of each secret, by its hash. Many requests with the same key ask for it at once."""
    wanted = set(hashes)
    rows = await ApiSecret.raw(FIND.format(", ".join(["{}"] * len(wanted))), *wanted)
    known = {row["hash"]: row for row in rows}
    return [known.get(each) for each in hashes]


_found = Rounds(_read, MAX_AT_ONCE)


async def rotate(key: ApiKey, owner: str, by: By) -> str | None:
    """Return a new secret of a key. The one before stays valid until the key is rotated again.

    owner: the name of the key's person. Returns None when the key is revoked.
    """
    secret = secrets.new_key()
    async with DB.transaction():
        await one_transaction_at_a_time(KEY_LOCK, str(key.person))
        if not await ApiKey.exists().where(_valid(key)):
            return None
        valid = (ApiSecret.key == key.id) & ApiSecret.revoked_at.is_null()
        old = await ApiSecret.select(ApiSecret.hash).where(valid).order_by(ApiSecret.created_at, ascending=False)
        too_many = [row["hash"] for row in old[MAX_VALID_SECRETS - 1 :]]
        if too_many:
            await ApiSecret.update({ApiSecret.revoked_at: now()}).where(ApiSecret.hash.is_in(too_many))
        await ApiSecret.insert(_row(key.id, secret))
    await audit.note(by, "key rotated", f"{owner}/{key.name}")
    return secret


async def revoke(key: ApiKey, owner: str, by: By) -> bool:
    """Revoke a key with all its secrets. owner: the name of its person. Returns False when it was revoked before."""
    if not await ApiKey.update({ApiKey.revoked_at: now()}).where(_valid(key)).returning(ApiKey.id):
        return False
    await audit.note(by, "key revoked", f"{owner}/{key.name}")
    return True


def _valid(key: ApiKey) -> Condition:
    return (ApiKey.id == key.id) & ApiKey.revoked_at.is_null()


def _row(key_id: UUID, secret: str) -> ApiSecret:
    return ApiSecret(
        hash=secrets.digest(secret), key=key_id, prefix=secret[:8], last_four=secret[-4:], created_at=now()
    )


def _actor(row: dict[str, Any]) -> Actor:
    """Return the actor of a key: what its scopes allow, and no more than its owner may do."""
    scopes = frozenset(Permission(scope) for scope in row["scopes"].split())
    if Permission.OPERATE in scopes:
        scopes |= {Permission.OPERATE_READ}
    if row["role"] != Role.SERVICE:
        scopes &= PERMISSIONS[Role(row["role"])]
    models = None if row["models"] is None else frozenset(json.loads(row["models"]))
    return Actor(f"{row['owner']}/{row['name']}", scopes, row["person"], row["key"], row["hash"], models=models)


async def of(key_id: UUID) -> ApiKey | None:
    """Return a key that is not revoked, or None."""
    return await ApiKey.objects().get((ApiKey.id == key_id) & ApiKey.revoked_at.is_null())


async def named(name: str) -> ApiKey | None:
    """Return the key with this name, such as anna/ci, unless it is revoked."""
    owner, _, key_name = name.partition("/")
    person = await Person.objects().get(Person.name == owner.lower())
    if person is None:
        return None
    own = (ApiKey.person == person.id) & (ApiKey.name == key_name) & ApiKey.revoked_at.is_null()
    return await ApiKey.objects().get(own)


async def of_person(person: Person) -> list[Listed]:
    """Return the keys of a person that are not revoked, by name."""
    rows = (
        await ApiKey.objects().where((ApiKey.person == person.id) & ApiKey.revoked_at.is_null()).order_by(ApiKey.name)
    )
    if not rows:
        return []
    valid = ApiSecret.key.is_in([row.id for row in rows]) & ApiSecret.revoked_at.is_null()
    found = await ApiSecret.objects().where(valid).order_by(ApiSecret.created_at, ascending=False)
    return [Listed(row, [secret for secret in found if secret.key == row.id]) for row in rows]
