"""What goes on for long is asked about again: those who were signed out, disabled or revoked may not stay."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tasks.accounts import keys, people, sessions
from tasks.accounts.actors import OPEN_HOUSE, Actor, Role
from tasks.accounts.audit import By
from tasks.accounts.recheck import still_valid
from tasks.db.account_tables import ApiKey, Person, Session
from tasks.db.database import now
from tests import factories

BY = By()
PAST = now() - timedelta(seconds=1)


async def in_browser(person: Person) -> Actor:
    actor = await sessions.find(await sessions.begin(person.id, "a browser", ""), "")
    assert actor is not None
    return actor


async def with_key(person: Person, name: str = "ci") -> Actor:
    return await keys.find((await keys.add(person, name, ["read:all"], BY)).secret)


async def by_proxy(person: Person) -> Actor:
    return Actor(person.name, frozenset(), person.id)


async def end(actor: Actor, _: Person) -> None:
    assert actor.session is not None
    assert actor.person is not None
    await sessions.end(actor.session, actor.person)


async def expire_session(actor: Actor, _: Person) -> None:
    await Session.update({Session.expires_at: PAST}).where(Session.id == actor.session)


async def change_password(_: Actor, person: Person) -> None:
    assert await people.set_password(person, "a hash", BY)


async def disable(_: Actor, person: Person) -> None:
    assert await people.disable(person, BY)


async def revoke(actor: Actor, _: Person) -> None:
    assert actor.key is not None
    key = await keys.of(actor.key)
    assert key is not None
    assert await keys.revoke(key, "anna", BY)


async def rotate_twice(actor: Actor, person: Person) -> None:
    assert actor.key is not None
    key = await keys.of(actor.key)
    assert key is not None
    for _ in range(keys.MAX_VALID_SECRETS):
        assert actor in await still_valid({actor}), "the secret before stays valid until the next rotation"
        assert await keys.rotate(key, person.name, BY)


async def expire_key(actor: Actor, _: Person) -> None:
    await ApiKey.update({ApiKey.expires_at: PAST}).where(ApiKey.id == actor.key)


@pytest.mark.parametrize(
    ("asks", "happens"),
    [
        (in_browser, end),
        (in_browser, expire_session),
        (in_browser, change_password),
        (in_browser, disable),
        (with_key, revoke),
        (with_key, rotate_twice),
        (with_key, expire_key),
        (with_key, disable),
        (by_proxy, disable),
    ],
)
async def test_who_may_not_stay_is_left_out_and_the_others_stay(
    asks: Callable[[Person], Awaitable[Actor]], happens: Callable[[Actor, Person], Awaitable[None]]
) -> None:
    anna, ben = await factories.person(), await factories.person("ben")
    actor, others = await asks(anna), {await in_browser(ben), await with_key(ben), await by_proxy(ben)}
    assert await still_valid({actor, *others}) == {actor, *others}
    await happens(actor, anna)
    assert await still_valid({actor, *others}) == others


async def test_one_session_that_ends_leaves_the_persons_others() -> None:
    anna = await factories.person()
    one, other, program = await in_browser(anna), await in_browser(anna), await with_key(anna)
    await end(one, anna)
    assert await still_valid({one, other, program}) == {other, program}


async def test_a_secret_that_was_replaced_leaves_the_others_of_the_key() -> None:
    anna = await factories.person()
    made = await keys.add(anna, "ci", ["read:all"], BY)
    first = await keys.find(made.secret)
    later = []
    for _ in range(2):
        secret = await keys.rotate(made.key, "anna", BY)
        assert secret is not None
        later.append(await keys.find(secret))
    assert await still_valid({first, *later}) == {*later}


async def test_the_open_house_stays_until_there_is_a_person() -> None:
    assert await still_valid({OPEN_HOUSE}) == {OPEN_HOUSE}
    anna = await factories.person(role=Role.ADMIN)
    actor = await in_browser(anna)
    assert await still_valid({OPEN_HOUSE, actor}) == {actor}


async def test_of_nobody_nobody_stays() -> None:
    assert await still_valid(set()) == set()
