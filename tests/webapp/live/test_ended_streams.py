"""Open pages of those who were signed out, disabled or revoked meanwhile get no more events."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from tasks.accounts import keys, people, sessions
from tasks.accounts.actors import OPEN_HOUSE, Actor, Role
from tasks.accounts.audit import By
from tasks.background import alongside
from tasks.db import ids
from tasks.db.account_tables import Person
from tasks.db.database import now
from tasks.errors import DatabaseAway
from tests import factories
from tests.webapp.live.test_stream import Page, opened, until
from tests.webapp.raw import app_of
from webapp.listing.query import Sheet
from webapp.live import hub as module
from webapp.live.hub import Hub

BY = By()
JOB = "019ab0c4-5d1e-7b36-9533-e50ac26d7632"


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """Yield a hub that looks all the time who may stay."""
    monkeypatch.setattr(module, "RECHECK_SECONDS", 0.02)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.1)
    hub = Hub()
    async with alongside(hub.pass_on(), hub.recheck()):
        yield hub


async def in_browser(person: Person) -> Actor:
    actor = await sessions.find(await sessions.begin(person.id, "a browser", ""), "")
    assert actor is not None
    return actor


async def with_key(person: Person) -> Actor:
    return await keys.find((await keys.add(person, "ci", ["read:all"], BY)).secret)


async def key_headers(person: Person) -> dict[str, str]:
    return await factories.key_of(person, "read:all", name=str(ids.new()))


def gallery(hub: Hub, actor: Actor) -> AsyncGenerator[bytes, None]:
    return hub.gallery(Sheet(), now() + timedelta(minutes=1), actor)


async def goes_on(page: Page) -> bool:
    """Return whether a page still hears of what happens."""
    job = await factories.submitted()
    await page.hears(job.id)
    return not page.ended


async def sign_out(actor: Actor, person: Person) -> None:
    assert actor.session is not None
    assert await sessions.end(actor.session, person.id)


async def change_password(_: Actor, person: Person) -> None:
    assert await people.set_password(person, "a hash", BY)


async def disable(_: Actor, person: Person) -> None:
    assert await people.disable(person, BY)


async def revoke(actor: Actor, person: Person) -> None:
    assert actor.key is not None
    key = await keys.of(actor.key)
    assert key is not None
    assert await keys.revoke(key, person.name, BY)


async def rotate_twice(actor: Actor, person: Person) -> None:
    assert actor.key is not None
    key = await keys.of(actor.key)
    assert key is not None
    for _ in range(keys.MAX_VALID_SECRETS):
        assert await keys.rotate(key, person.name, BY)


@pytest.mark.parametrize(
    ("asks", "happens"),
    [
        (in_browser, sign_out), (in_browser, change_password), (in_browser, disable), (with_key, revoke),
        (with_key, rotate_twice), (with_key, disable),
    ],
)  # fmt: skip
async def test_who_may_no_longer_see_them_loses_every_page_and_the_others_none(
    hub: Hub, asks: Callable[[Person], Awaitable[Actor]], happens: Callable[[Actor, Person], Awaitable[None]]
) -> None:
    anna, ben = await factories.person(), await factories.person("ben")
    actor, other = await asks(anna), await in_browser(ben)
    job = await factories.submitted()
    async with (
        opened(gallery(hub, actor)) as page,
        opened(hub.job_page(job.id, actor)) as job_page,
        opened(gallery(hub, other)) as others,
    ):
        assert await goes_on(page)
        await happens(actor, anna)
        await until(lambda: page.ended and job_page.ended)
        before = len(page.got)
        assert await goes_on(others)
        assert len(page.got) == before
    assert hub._galleries == {}
    assert hub._job_pages == {}


async def test_with_the_first_person_the_pages_of_the_open_house_end(hub: Hub) -> None:
    async with opened(gallery(hub, OPEN_HOUSE)) as page:
        assert await goes_on(page)
        await factories.person(role=Role.ADMIN)
        await until(lambda: page.ended)


async def test_a_database_that_is_away_ends_no_page(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = asyncio.Event()

    async def away(_: object) -> set[Actor]:
        looked.set()
        raise DatabaseAway("down")

    monkeypatch.setattr(module, "still_valid", away)
    async with opened(gallery(hub, await in_browser(await factories.person()))) as page:
        await looked.wait()
        assert await goes_on(page)


@pytest.mark.parametrize("path", ["/events?q=fox", f"/events?job={JOB}"])
@pytest.mark.parametrize("asks", [factories.session_of, key_headers])
async def test_the_stream_of_a_browser_or_a_program_ends_with_its_right(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str,
    asks: Callable[[Person], Awaitable[dict[str, str]]],
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "RECHECK_SECONDS", 0.02)
    anna, hub = await factories.person(), app_of(web).state.hub
    stream = asyncio.create_task(web.get(path, headers=await asks(anna)))
    await until(lambda: bool(hub._galleries or hub._job_pages))
    [inbox] = [inbox for pages in (hub._galleries, hub._job_pages) for inboxes in pages.values() for inbox in inboxes]
    assert inbox.actor.person == anna.id
    async with alongside(hub.recheck()):
        assert not stream.done()
        assert await people.disable(anna, BY)
        answer = await asyncio.wait_for(stream, 10)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (await web.get(path, headers=await asks(anna))).status_code == 401
