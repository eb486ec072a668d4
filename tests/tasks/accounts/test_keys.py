"""Keys are found by their secret, do what their scopes say, and stop working when they are revoked or expire."""

import asyncio
from datetime import timedelta

import pytest

from tasks.accounts import keys, people, secrets
from tasks.accounts.actors import Permission, Role
from tasks.accounts.audit import By
from tasks.accounts.keys import KeyRefused, Made
from tasks.db.account_tables import ApiKey, ApiSecret, Person
from tasks.db.database import now
from tasks.errors import Rejected

BY = By()
EVERYTHING = ["submit", "read", "read:all", "tidy", "operate", "operate:read"]


async def refusal(secret: str) -> str:
    with pytest.raises(KeyRefused) as caught:
        await keys.find(secret)
    return caught.value.code


async def anna(role: Role = Role.MEMBER) -> Person:
    return await people.add("anna", role, BY)


async def test_a_key_says_whose_it_is_and_what_it_may_do() -> None:
    person = await anna()
    made = await keys.add(person, "ci", ["submit", "read"], BY, ["black-forest-labs/flux-schnell"])
    actor = await keys.find(made.secret)
    assert (actor.name, actor.person, actor.key) == ("anna/ci", person.id, made.key.id)
    assert actor.permissions == {Permission.SUBMIT, Permission.READ}
    assert actor.models == frozenset({"black-forest-labs/flux-schnell"})
    assert actor.sees_only == person.id


async def test_a_key_is_kept_as_its_hash_alone() -> None:
    made = await keys.add(await anna(), "ci", ["read"], BY)
    [row] = await ApiSecret.objects()
    assert row.hash == secrets.digest(made.secret)
    assert (row.prefix, row.last_four) == (made.secret[:8], made.secret[-4:])
    assert made.secret not in str([each.to_dict() for each in [row, *await ApiKey.objects()]])


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        (Role.VIEWER, {"read", "read:all"}),
        (Role.MEMBER, {"submit", "read", "read:all", "tidy"}),
        (Role.ADMIN, set(EVERYTHING)),
        (Role.SERVICE, set(EVERYTHING)),
    ],
)
async def test_a_key_may_do_no_more_than_its_owner(role: Role, permissions: set[str]) -> None:
    made = await keys.add(await anna(role), "ci", EVERYTHING, BY)
    assert (await keys.find(made.secret)).permissions == permissions


async def test_a_key_that_does_not_work_says_why() -> None:
    person = await anna()
    made = await keys.add(person, "ci", ["read"], BY)
    assert await refusal(made.secret[:-1]) == "key_mistyped"
    assert await refusal(secrets.new_key()) == "key_unknown"
    old = await keys.add(person, "old", ["read"], BY, expires_at=now() - timedelta(seconds=1))
    assert await refusal(old.secret) == "key_expired"
    assert await keys.revoke(made.key, "anna", BY)
    assert await refusal(made.secret) == "key_revoked"
    assert not await keys.revoke(made.key, "anna", BY)
    assert await keys.rotate(made.key, "anna", BY) is None


async def test_the_keys_of_a_disabled_person_do_not_work() -> None:
    person = await anna()
    made = await keys.add(person, "ci", ["read"], BY)
    assert await people.disable(person, BY)
    assert await refusal(made.secret) == "key_revoked"
    assert await people.enable(person, BY)
    assert await keys.find(made.secret)


async def test_while_a_key_is_rotated_two_secrets_work() -> None:
    made = await keys.add(await anna(), "ci", ["read"], BY)
    second = await keys.rotate(made.key, "anna", BY)
    assert second is not None
    assert (await keys.find(made.secret)).key == (await keys.find(second)).key
    third = await keys.rotate(made.key, "anna", BY)
    assert third is not None
    assert await refusal(made.secret) == "key_revoked"
    assert (await keys.find(second)).key == (await keys.find(third)).key


async def test_it_is_known_when_a_secret_was_last_used() -> None:
    person = await anna()
    made = await keys.add(person, "ci", ["read"], BY)
    await keys.find(made.secret)
    [row] = (await keys.of_person(person))[0].secrets
    assert row.used_at is not None
    assert now() - row.used_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("name", "scopes"),
    [("", ["read"]), ("a/b", ["read"]), ("a" * 65, ["read"]), ("a\nb", ["read"]), ("ci", []), ("ci", ["everything"])],
)
async def test_a_key_needs_a_name_and_scopes(name: str, scopes: list[str]) -> None:
    with pytest.raises(Rejected):
        await keys.add(await anna(), name, scopes, BY)


async def test_a_name_is_taken_until_its_key_is_revoked() -> None:
    person = await anna()
    made = await keys.add(person, "ci", ["read"], BY)
    with pytest.raises(Rejected):
        await keys.add(person, "ci", ["read"], BY)
    await keys.revoke(made.key, "anna", BY)
    assert await keys.add(person, "ci", ["read"], BY)


async def test_of_two_keys_that_take_a_name_at_once_one_gets_it() -> None:
    person = await anna()
    made = await asyncio.gather(*(keys.add(person, "ci", ["read"], BY) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Made) for each in made) == 1
    assert sum(isinstance(each, Rejected) for each in made) == 3


async def test_a_key_that_is_rotated_often_at_once_has_two_secrets() -> None:
    person = await anna()
    made = await keys.add(person, "ci", ["read"], BY)
    await asyncio.gather(*(keys.rotate(made.key, "anna", BY) for _ in range(4)))
    [listed] = await keys.of_person(person)
    assert len(listed.secrets) == 2


async def test_a_person_has_no_keys_at_first_and_then_those_that_work() -> None:
    person = await anna()
    assert await keys.of_person(person) == []
    for name in ("zeta", "alpha"):
        made = await keys.add(person, name, ["read"], BY)
    assert [listed.key.name for listed in await keys.of_person(person)] == ["alpha", "zeta"]
    await keys.revoke(made.key, "anna", BY)
    assert [listed.key.name for listed in await keys.of_person(person)] == ["zeta"]
