"""People are invited by a link that works once, and there is always an admin."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tasks.accounts import people, sessions
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import Person
from tasks.db.database import now
from tasks.errors import Rejected

BY = By()


@pytest.mark.parametrize("name", ["", "Anna", "anna b", "a" * 65, "-anna", "anna.", "änna", "anna\n"])
async def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Rejected):
        await people.add(name, Role.MEMBER, BY)


async def test_a_name_is_taken_once() -> None:
    await people.add("anna", Role.MEMBER, BY)
    with pytest.raises(Rejected):
        await people.add("anna", Role.VIEWER, BY)
    assert await people.exist()
    assert await people.named("Anna") is not None


async def test_a_link_sets_a_password_once() -> None:
    anna = await people.add("anna", Role.MEMBER, BY)
    token = await people.new_link(anna, BY)
    assert token is not None
    invited = await people.invited(token)
    assert invited is not None
    assert invited.id == anna.id
    assert await people.set_password(anna, "a hash", BY, token)
    assert await people.invited(token) is None
    assert not await people.set_password(anna, "another", BY, token)


async def test_a_newer_link_replaces_an_older_one_and_both_end() -> None:
    anna = await people.add("anna", Role.MEMBER, BY)
    first, second = await people.new_link(anna, BY), await people.new_link(anna, BY)
    assert first is not None
    assert second is not None
    assert await people.invited(first) is None
    await Person.update({Person.link_until: now() - timedelta(seconds=1)}).where(Person.id == anna.id)
    assert await people.invited(second) is None
    assert not await people.set_password(anna, "a hash", BY, second)


async def test_a_new_password_ends_all_sessions() -> None:
    anna = await people.add("anna", Role.MEMBER, BY)
    token = await sessions.begin(anna.id, "a browser", "")
    assert await sessions.find(token, "") is not None
    assert await people.set_password(anna, "a hash", BY)
    assert await sessions.find(token, "") is None


async def test_a_service_gets_no_link_and_no_other_role() -> None:
    robot = await people.add("robot", Role.SERVICE, BY)
    assert await people.new_link(robot, BY) is None
    assert not await people.change_role(robot, Role.ADMIN, BY)
    anna = await people.add("anna", Role.MEMBER, BY)
    assert not await people.change_role(anna, Role.SERVICE, BY)


async def test_the_last_admin_stays_one() -> None:
    anna = await people.add("anna", Role.ADMIN, BY)
    assert not await people.change_role(anna, Role.MEMBER, BY)
    assert not await people.disable(anna, BY)
    ben = await people.add("ben", Role.ADMIN, BY)
    assert await people.disable(anna, BY)
    assert not await people.disable(ben, BY)
    assert await people.enable(anna, BY)
    assert await people.change_role(ben, Role.VIEWER, BY)


@pytest.mark.parametrize("stop", [people.disable, lambda person, by: people.change_role(person, Role.MEMBER, by)])
async def test_of_two_admins_who_stop_at_once_one_stays(stop: Callable[[Person, By], Awaitable[bool]]) -> None:
    admins = [await people.add(name, Role.ADMIN, BY) for name in ("anna", "ben")]
    for _ in range(10):
        assert sorted(await asyncio.gather(*(stop(admin, BY) for admin in admins))) == [False, True]
        await Person.update({Person.role: Role.ADMIN, Person.disabled_at: None}, force=True)


async def test_a_link_that_is_used_twice_at_once_sets_one_password() -> None:
    anna = await people.add("anna", Role.MEMBER, BY)
    token = await people.new_link(anna, BY)
    done = await asyncio.gather(*(people.set_password(anna, f"hash {number}", BY, token) for number in range(4)))
    assert sorted(done) == [False, False, False, True]
    stored = await people.named("anna")
    assert stored is not None
    assert stored.password == f"hash {done.index(True)}"


async def test_of_two_people_who_take_a_name_at_once_one_gets_it() -> None:
    done = await asyncio.gather(*(people.add("anna", Role.MEMBER, BY) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Person) for each in done) == 1
    assert sum(isinstance(each, Rejected) for each in done) == 3
