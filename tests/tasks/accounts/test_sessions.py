"""A session is found by its token alone, lasts 30 days from its last use, and ends for its own person."""

from datetime import timedelta
from uuid import UUID

import pytest

from tasks.accounts import people, secrets, sessions
from tasks.accounts.actors import PERMISSIONS, Role
from tasks.accounts.audit import By
from tasks.db.account_tables import Person, Session
from tasks.db.database import now
from tasks.db.tables import Values
from tests import factories

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def begun(anna: Person) -> str:
    return await sessions.begin(anna.id, AGENT, "192.0.2.1")


async def only() -> Session:
    [row] = await Session.objects()
    return row


async def make_older(by: timedelta) -> None:
    """Change the only session to what it would be if it had been used last so long ago."""
    row = await only()
    older: Values = {Session.seen_at: row.seen_at - by, Session.expires_at: row.expires_at - by}
    await Session.update(older, force=True)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.ADMIN])
async def test_a_token_says_who_is_signed_in_and_what_they_may_do(role: Role) -> None:
    anna = await factories.person(role=role)
    actor = await sessions.find(await begun(anna), "192.0.2.1")
    assert actor is not None
    assert (actor.name, actor.person, actor.key, actor.models) == ("anna", anna.id, None, None)
    assert actor.permissions == PERMISSIONS[role]
    assert actor.session == (await only()).id


async def test_a_token_is_kept_as_its_hash_alone_and_is_never_the_same() -> None:
    anna = await factories.person()
    token = await begun(anna)
    row = await only()
    assert row.token_hash == secrets.digest(token)
    assert token not in str(row.to_dict())
    assert (row.agent, row.address) == (AGENT, "192.0.2.1")
    assert await begun(anna) != token


@pytest.mark.parametrize("token", ["", "A" * 43, "a\0b", "狐"])
async def test_another_token_says_nothing(token: str) -> None:
    await begun(await factories.person())
    assert await sessions.find(token, "") is None


async def test_a_change_of_the_role_counts_at_once() -> None:
    anna = await factories.person(role=Role.MEMBER)
    token = await begun(anna)
    assert await people.change_role(anna, Role.VIEWER, By())
    actor = await sessions.find(token, "")
    assert actor is not None
    assert actor.permissions == PERMISSIONS[Role.VIEWER]


async def test_a_session_that_is_used_goes_on_for_30_days_from_then() -> None:
    token = await begun(await factories.person())
    for _ in range(3):
        await make_older(timedelta(days=29))
        assert await sessions.find(token, "198.51.100.7")
        row = await only()
        assert timedelta(days=29) < row.expires_at - now() <= timedelta(days=30)
        assert now() - row.seen_at < timedelta(minutes=1)
        assert row.address == "198.51.100.7"


async def test_a_session_that_was_used_a_moment_ago_is_not_written_again() -> None:
    token = await begun(await factories.person())
    await make_older(timedelta(minutes=4))
    before = await only()
    assert await sessions.find(token, "198.51.100.7")
    assert (await only()).to_dict() == before.to_dict()


async def test_a_session_that_is_not_used_for_30_days_has_ended() -> None:
    anna = await factories.person()
    token = await begun(anna)
    await make_older(timedelta(days=30))
    assert await sessions.find(token, "") is None
    assert await sessions.of(anna.id) == []


async def test_nobody_is_signed_in_once_disabled_nor_when_enabled_again() -> None:
    anna = await factories.person()
    token = await begun(anna)
    assert await people.disable(anna, By())
    assert await sessions.find(token, "") is None
    assert await people.enable(anna, By())
    assert await sessions.find(token, "") is None


async def test_who_signs_in_while_being_disabled_is_not_signed_in() -> None:
    anna = await factories.person()
    assert await people.disable(anna, By())
    assert await sessions.find(await begun(anna), "") is None


async def test_a_persons_sessions_are_listed_with_the_one_seen_last_first() -> None:
    anna, ben = await factories.person(), await factories.person("ben")
    await begun(anna)
    await make_older(timedelta(hours=1))
    old = (await only()).id
    await begun(anna)
    await begun(ben)
    listed = await sessions.of(anna.id)
    assert [row.person for row in listed] == [anna.id] * 2
    assert listed[1].id == old


async def test_a_session_is_ended_by_its_own_person_alone() -> None:
    anna, ben = await factories.person(), await factories.person("ben")
    token = await begun(anna)
    session: UUID = (await only()).id
    assert not await sessions.end(session, ben.id)
    assert await sessions.find(token, "")
    assert await sessions.end(session, anna.id)
    assert await sessions.find(token, "") is None
    assert not await sessions.end(session, anna.id)


async def test_a_browser_may_call_itself_as_it_likes() -> None:
    await sessions.begin((await factories.person()).id, "x é狐" * 5000, "")
    assert len((await only()).agent) <= sessions.MAX_AGENT_LENGTH


async def test_what_has_expired_is_swept_and_nothing_else() -> None:
    anna = await factories.person()
    await begun(anna)
    await make_older(timedelta(days=31))
    token = await begun(anna)
    await sessions.sweep()
    assert await sessions.find(token, "")
    assert await Session.count() == 1
