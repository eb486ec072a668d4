"""Live events: every page receives every change, whatever is lost on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from tasks.background import alongside, end
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.errors import DatabaseAway, Failure
from tasks.jobs import lifecycle, queue
from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.paging import Place, Sort
from tasks.library.query import Search, parse
from tasks.messaging import events
from tasks.replicate import circuit
from tests.factories import submitted
from tests.tasks.states import passes
from webapp.http.errors import Problem
from webapp.listing.fragments import card_face, job_fragment
from webapp.listing.query import Sheet
from webapp.live import sent, sse, stream
from webapp.live.hub import Hub
from webapp.live.mailbox import MAX_QUEUED_EVENTS
from webapp.render import halt_banner, queue_tally
from webapp.render.queue_tally import MAX_UNFOLDED

FOXES = Sheet(parse("fox"))


class Page:
    """An open page, with the events that it received."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self.got: list[str] = []
        self.ended = False
        self._reading = asyncio.create_task(self._read(stream))

    async def _read(self, stream: AsyncIterator[bytes]) -> None:
        async for message in stream:
            self.got.append(message.decode())
        self.ended = True

    async def hears(self, *words: object, within: float = 10.0) -> str:
        """Wait for an event that contains all `words`, and return it."""
        async with asyncio.timeout(within):
            while True:
                for message in self.got:
                    if all(str(word) in message for word in words):
                        return message
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        await end(self._reading)


@asynccontextmanager
async def opened(stream: AsyncIterator[bytes]) -> AsyncIterator[Page]:
    page = Page(stream)
    await until(lambda: bool(page.got) or page.ended)  # the greeting, which comes after what it has missed
    yield page
    await page.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds()` is true."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # no event says when
            await asyncio.sleep(0.01)


def gallery(hub: Hub) -> AbstractAsyncContextManager[Page]:
    return opened(hub.gallery(Sheet(), now() + timedelta(minutes=1)))


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr("webapp.live.hub.POLL_SECONDS", 0.2)
    hub = Hub()
    async with alongside(hub.listen(), hub.pass_on()):
        await asyncio.sleep(0.1)  # let it subscribe; it finds missed changes by looking
        yield hub


async def test_a_change_reaches_every_open_page_as_a_whole_card(hub: Hub) -> None:
    async with gallery(hub) as one, gallery(hub) as two:
        job = await submitted()
        for page in (one, two):
            message = await page.hears(f'hx-target="#job-{job.id}"', 'hx-swap="outerMorph"')
            assert 'data-status="queued"' in message
            assert message.startswith("id: 20")
            assert message.endswith("\n\n")
        await lifecycle.cancel(job.id)
        for page in (one, two):
            await page.hears(f"#job-{job.id}", 'data-status="canceled"')


async def test_a_change_is_rendered_once_for_all_pages(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Card] = []

    def render(card: Card) -> str:
        rendered.append(card)
        return card_face(card)

    monkeypatch.setattr("webapp.live.sse.card_face", render)
    async with (
        gallery(hub) as one,
        gallery(hub) as two,
        opened(hub.gallery(FOXES, now() + timedelta(minutes=1))) as three,
    ):
        job = await submitted()
        for page in (one, two, three):
            await page.hears(job.id)
        assert len(rendered) <= 2  # once for the change, and once when its place was sent


async def test_without_hints_pages_are_right_within_a_moment(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "publish", lambda *_: None)
    async with gallery(hub) as page:
        job = await submitted()
        await page.hears(job.id)


async def test_a_page_that_comes_back_gets_what_changed_since_it_last_heard() -> None:
    old = await submitted()
    await lifecycle.cancel(old.id)
    await Job.update({Job.changed_at: now() - timedelta(hours=1)}).where(Job.id == old.id)
    left = now()
    job = await submitted()
    await lifecycle.cancel(job.id)
    async with opened(Hub().gallery(Sheet(), left)) as page:
        await page.hears(job.id, "canceled")
        assert not any(str(old.id) in message for message in page.got)


async def test_a_page_that_missed_too_much_gets_the_first_page_anew(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_CATCH_UP", 3)
    left = now()
    ids = [(await submitted()).id for _ in range(5)]
    async with opened(hub.gallery(Sheet(), left)) as page:
        await page.hears('hx-target="#sheet"', *ids)


async def test_a_deleted_job_leaves_every_page(hub: Hub) -> None:
    job = await submitted()
    await lifecycle.cancel(job.id)
    async with gallery(hub) as page, opened(hub.job_page(job.id)) as job_page:
        await lifecycle.delete(job.id)
        await page.hears(f'hx-target="#job-{job.id}" hx-swap="delete"')
        await job_page.hears(f'hx-target="#job-page-{job.id}" hx-swap="delete"')


async def test_a_jobs_page_hears_of_its_job_alone(hub: Hub) -> None:
    job, other = await submitted(), await submitted()
    async with opened(hub.job_page(job.id)) as page:
        await lifecycle.cancel(other.id)
        await lifecycle.cancel(job.id)
        await page.hears(f'hx-target="#job-page-{job.id}"', 'data-status="canceled"')
        assert not any(str(other.id) in message for message in page.got)
    assert hub._job_pages == {}


async def test_a_page_too_slow_to_read_is_dropped_and_the_others_hear_on(hub: Hub) -> None:
    slow = hub.gallery(Sheet(), now() + timedelta(minutes=1))
    job = await submitted()
    first = asyncio.ensure_future(anext(slow))
    async with gallery(hub) as page:
        for _ in range(MAX_QUEUED_EVENTS + 5):
            [card] = await cards.by_ids([job.id])
            await hub._tell([card], again=True)
        await first
        async with asyncio.timeout(5):
            got = [message async for message in slow]
        assert len(got) <= MAX_QUEUED_EVENTS
        await page.hears(job.id)
        assert not page.ended


async def test_the_places_in_the_queue_move_up_when_the_first_leaves(hub: Hub) -> None:
    first, second = await submitted(), await submitted()
    async with gallery(hub) as page:
        await lifecycle.cancel(first.id)
        await page.hears(f"#job-{second.id}", "Next in line")


async def test_a_prompt_with_line_breaks_stays_one_event(hub: Hub) -> None:
    async with gallery(hub) as page:
        job = await lifecycle.submit("one\ntwo\r\n\r\ndata: three\n\nid: 7", "m/m", {})
        message = await page.hears(job.id)
        body, _, rest = message.partition("\n\n")
        assert rest == ""
        assert all(line.startswith(("id: 20", "data: ")) for line in body.split("\n"))


async def test_retrying_cards_say_why(hub: Hub) -> None:
    await submitted()
    job = await lifecycle.claim(30)
    assert job is not None
    async with gallery(hub) as page:
        await lifecycle.postpone(job, Failure("rate_limited", "Replicate asked Darkroom to slow down.", True), 60.0)
        await page.hears(job.id, 'data-status="retrying"', "slow down")


async def test_a_halt_of_the_queue_appears_on_open_pages_and_goes_by_itself(hub: Hub) -> None:
    job = await submitted()
    async with gallery(hub) as page, opened(hub.job_page(job.id)) as job_page:
        await circuit.trip(Failure("provider_billing", "No credit."))
        for one in (page, job_page):
            message = await one.hears('hx-target="#halt"', "has no credit", "resume automatically", "/account/billing")
            assert not message.startswith("id:"), "it is no change of a job, to catch up from"
            one.got.clear()
        await circuit.close()
        for one in (page, job_page):
            assert "credit" not in await one.hears('hx-target="#halt"')


async def test_a_halt_is_told_also_to_a_page_that_was_away_when_it_began_or_ended(hub: Hub) -> None:
    await circuit.trip(Failure("provider_auth", "The token."))
    await halt_banner.look()
    async with gallery(hub) as page:
        await page.hears('hx-target="#halt"', "rejects the API token", "REPLICATE_API_TOKEN")
    await circuit.close()
    await halt_banner.look()
    async with gallery(hub) as page:
        assert "rejects" not in await page.hears('hx-target="#halt"')


async def test_a_halt_is_known_to_a_process_that_no_page_looks_at(hub: Hub) -> None:
    await circuit.trip(Failure("provider_auth", "The token."))
    await until(lambda: halt_banner.known() is not None)
    await circuit.close()
    await until(lambda: halt_banner.known() is None)


async def test_changes_made_while_the_database_was_away_for_long_are_told_when_it_is_back(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def away(*_: object) -> list[Card]:
        nonlocal asked
        asked += 1
        raise DatabaseAway("It is away.")

    monkeypatch.setattr(sse, "OVERLAP", timedelta())
    async with gallery(hub) as page:
        with monkeypatch.context() as outage:
            outage.setattr(cards, "by_ids", away)
            outage.setattr(cards, "changed_since", away)
            job = await submitted()
            await until(lambda: asked > 3)
        await page.hears(job.id)


async def test_the_job_page_of_one_far_back_in_the_queue_tells_its_place_as_it_moves(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PLACES_SHOWN", 1)
    first, _, third = await submitted(), await submitted(), await submitted()
    async with opened(hub.job_page(third.id)) as page:
        await page.hears("3rd in line")
        await lifecycle.cancel(first.id)
        await page.hears("2nd in line")


async def test_closed_pages_leave_nothing_behind(hub: Hub) -> None:
    for _ in range(20):
        async with gallery(hub):
            pass
    assert hub._galleries == {}


async def test_a_search_is_told_of_what_it_finds_and_of_what_is_on_its_pages(hub: Hub) -> None:
    async with opened(hub.gallery(FOXES, now() + timedelta(minutes=1))) as page:
        fox, owl = await submitted(), await lifecycle.submit("an owl", "stability-ai/sdxl", {})
        await page.hears(f'hx-target="#job-{fox.id}" hx-swap="outerMorph"')
        await page.hears(f'hx-target="#job-{owl.id}" hx-swap="outerMorph placed:false"')
        await Job.update({Job.notes: "the fox's friend"}).where(Job.id == owl.id)
        await lifecycle.cancel(owl.id)
        await page.hears(f'hx-target="#job-{owl.id}" hx-swap="outerMorph"')


async def test_each_search_gets_its_own_answer(hub: Hub) -> None:
    sheets = [
        Sheet(parse(text)) for text in ("fox", "snow -fox", "status:canceled", "in:trash", 'model:sdxl "in the snow"')
    ]
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(opened(hub.gallery(sheet, now()))) for sheet in sheets]
        job = await submitted()
        await lifecycle.cancel(job.id)
        fox, others, canceled, trash, both = [
            await page.hears(job.id, *([] if sheet.search.trash else ['data-status="canceled"']))
            for page, sheet in zip(pages, sheets, strict=True)
        ]
    assert "placed:false" not in fox + canceled + both
    assert "placed:false" in others
    assert 'hx-swap="delete"' in trash


def failing(name: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the query `name` of the library raise `error` for the search "fox"."""
    ask = getattr(cards, name)

    async def asked(*given: object, **named: object) -> object:
        if FOXES.search in given and given[0]:  # not for a page that opens, which has missed nothing
            raise error
        return await ask(*given, **named)

    monkeypatch.setattr(cards, name, asked)


@pytest.mark.parametrize("error", [RuntimeError("It cannot be asked like that. " * 1000), DatabaseAway("too deep")])
async def test_a_search_that_fails_ends_its_own_pages_alone_and_is_logged_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    failing("found_among", error, monkeypatch)
    sheets = [FOXES, FOXES, Sheet(parse("fox"), Sort.OLDEST), Sheet(parse("snow")), Sheet()]
    later = now() + timedelta(minutes=1)
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(opened(hub.gallery(sheet, later))) for sheet in sheets]
        job = await submitted()
        for page in pages[3:]:
            await page.hears(f'hx-target="#job-{job.id}"', 'data-status="queued"')
        await until(lambda: all(page.ended for page in pages[:3]))
        await lifecycle.cancel(job.id)
        for page in pages[3:]:
            await page.hears(f'hx-target="#job-{job.id}"', 'data-status="canceled"')
            assert not page.ended
    [record] = [record for record in caplog.records if "fox" in record.getMessage()]
    assert len(record.getMessage()) < 300
    away = isinstance(error, DatabaseAway)
    assert (record.exc_info is None) == away
    assert record.exc_info is None or record.exc_info[1] is error


async def test_a_page_whose_search_fails_may_come_back_again_and_again_without_a_word_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await submitted()
    failing("found_among", RuntimeError("It cannot be asked like that."), monkeypatch)
    hub = Hub()
    for _ in range(3):
        with pytest.raises(Problem) as refused:
            await anext(hub.gallery(FOXES, now() - timedelta(seconds=1)))
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})
    assert len([record for record in caplog.records if record.name.startswith("webapp.live")]) == 1
    assert hub._galleries == {}


async def test_a_search_that_takes_for_ever_ends_its_own_pages_alone(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = cards.found_among

    async def asked(ids: list[UUID], search: Search) -> set[UUID]:
        await asyncio.sleep(3600 if ids and search == FOXES.search else 0)
        return await ask(ids, search)

    monkeypatch.setattr(cards, "found_among", asked)
    monkeypatch.setattr("webapp.live.hub.SEARCH_TIMEOUT", 2.0)
    later = now() + timedelta(minutes=1)
    async with opened(hub.gallery(FOXES, later)) as slow, opened(hub.gallery(Sheet(parse("snow")), later)) as page:
        job = await submitted()
        await page.hears(job.id)
        await until(lambda: slow.ended)


async def test_a_card_that_cannot_be_rendered_keeps_no_other_from_any_page(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def render(card: Card) -> str:
        if card.job.prompt == "broken":
            raise ValueError("This cannot be rendered.")
        return card_face(card)

    monkeypatch.setattr(sse, "card_face", render)
    async with gallery(hub) as page:
        broken = await lifecycle.submit("broken", "stability-ai/sdxl", {})
        job = await submitted()
        await page.hears(f'hx-target="#job-{job.id}"')
        await lifecycle.cancel(job.id)
        await page.hears(f'hx-target="#job-{job.id}"', 'data-status="canceled"')
        assert not any(str(broken.id) in message for message in page.got)
    async with opened(hub.gallery(Sheet(), now() - timedelta(seconds=1))) as page:
        await page.hears(f'hx-target="#job-{job.id}"')
    assert str(broken.id) in caplog.text


async def test_the_page_of_a_job_that_cannot_be_shown_is_closed_alone(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, job = await submitted(), await submitted()
    async with opened(hub.job_page(broken.id)) as closed, opened(hub.job_page(job.id)) as page, gallery(hub) as wall:
        real = job_fragment

        async def render(card: Card) -> str:
            if card.job.id == broken.id:
                raise ValueError("This cannot be rendered.")
            return await real(card)

        monkeypatch.setattr("webapp.live.hub.job_fragment", render)
        await lifecycle.cancel(broken.id)
        await lifecycle.cancel(job.id)
        await page.hears(f'hx-target="#job-page-{job.id}"', 'data-status="canceled"')
        await wall.hears(f"#job-{broken.id}", 'data-status="canceled"')
        await until(lambda: closed.ended)
        assert not page.ended


async def test_a_search_that_fails_as_all_get_their_cards_anew_ends_its_own_pages_alone(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [await submitted() for _ in range(3)]
    monkeypatch.setattr("webapp.live.hub.MAX_CARD_EVENTS", 1)
    failing("page", RuntimeError("It cannot be asked like that."), monkeypatch)
    later = now() + timedelta(minutes=1)
    async with (
        gallery(hub) as page,
        opened(hub.gallery(FOXES, later)) as failed,
        opened(hub.gallery(Sheet(parse("snow")), later)) as searched,
    ):
        await Job.update({Job.favorite: True, Job.changed_at: now()}, force=True)  # all at once, and without a hint
        for one in (page, searched):
            await one.hears('hx-target="#sheet"', made[0].id)
        await until(lambda: failed.ended)


async def test_listening_goes_on_after_an_error_that_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    listened = 0

    async def listen(channel: str) -> AsyncIterator[UUID]:
        nonlocal listened
        listened += 1
        if listened == 1:
            raise RuntimeError("Nobody expected this.")
        yield ids.new()

    monkeypatch.setattr("webapp.live.hub.POLL_SECONDS", 0.01)
    monkeypatch.setattr(events, "listen", listen)
    hub = Hub()
    async with alongside(hub.listen()):
        await until(lambda: bool(hub._hinted))


async def test_a_hint_that_is_nonsense_does_not_end_the_listening(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.live.hub.POLL_SECONDS", 30.0)
    known = await submitted()
    async with gallery(hub) as page:

        def listens() -> bool:
            events.publish(events.CHANGED, known.id)
            return any(str(known.id) in message for message in page.got)

        await until(listens)
        for nonsense in ("nonsense", b"\xff\xfe", ""):
            await events.redis().publish(events.CHANGED, nonsense)
        job = await submitted()
        await page.hears(job.id, within=5)


async def test_what_is_trashed_leaves_the_gallery_and_what_is_restored_leaves_the_trash(hub: Hub) -> None:
    job = await submitted()
    trash = Sheet(parse("in:trash"))
    async with gallery(hub) as page, opened(hub.gallery(trash, now() + timedelta(minutes=1))) as trashed:
        await Job.update({Job.trashed_at: now(), Job.changed_at: now()}).where(Job.id == job.id)
        await page.hears(f'hx-target="#job-{job.id}" hx-swap="delete"')
        await trashed.hears(f'hx-target="#job-{job.id}" hx-swap="outerMorph"')
        trashed.got.clear()
        page.got.clear()
        await Job.update({Job.trashed_at: None, Job.changed_at: now()}).where(Job.id == job.id)
        await trashed.hears(f'hx-target="#job-{job.id}" hx-swap="delete"')
        await page.hears(f'hx-target="#job-{job.id}" hx-swap="outerMorph"')


async def test_after_a_bulk_action_every_page_gets_its_own_cards_anew_and_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.hub.MAX_CARD_EVENTS", 20)
    monkeypatch.setattr("webapp.live.hub.MAX_CHANGES", 30)
    monkeypatch.setattr(sent, "BULK_SIZE", 5)
    foxes = [await submitted() for _ in range(3)]
    moment = now()
    owls = [
        Job(
            id=ids.new(),
            prompt="an owl",
            model="m/m",
            status="failed",
            created_at=moment,
            changed_at=moment,
            due_at=moment,
        )
        for _ in range(40)
    ]
    oldest = Sheet(sort=Sort.OLDEST, place=Place(Sort.OLDEST, foxes[0].id))
    async with (
        gallery(hub) as page,
        opened(hub.gallery(FOXES, now() + timedelta(minutes=1))) as searched,
        opened(hub.gallery(oldest, now() + timedelta(minutes=1))) as further,
        opened(hub.job_page(foxes[0].id)) as job_page,
    ):
        await Job.insert(*owls)
        for owl in owls:
            await page.hears(owl.id)
        for one in (page, searched, further, job_page):
            one.got.clear()
        await Job.update({Job.favorite: True, Job.changed_at: now()}, force=True)
        assert str(owls[0].id) in await page.hears('hx-target="#sheet"')
        assert str(owls[0].id) not in await searched.hears('hx-target="#sheet"', *(fox.id for fox in foxes))
        assert str(foxes[0].id) not in await further.hears('hx-target="#sheet"', foxes[1].id)
        await job_page.hears("#job-page-", foxes[0].id)
        job = await submitted()
        await page.hears(f'hx-target="#job-{job.id}"')
        assert sum('hx-target="#sheet"' in message for message in page.got) == 1


async def test_a_stream_of_an_unclear_search_is_refused(web: httpx.AsyncClient) -> None:
    answer = await web.get("/events?q=status:tired")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")


async def test_nonsense_as_a_last_event_id_is_taken_as_now(web: httpx.AsyncClient) -> None:
    assert abs(stream._moment("nonsense") - now()) < timedelta(seconds=5)
    assert stream._moment("2026-11-22T20:00:00").tzinfo is not None


async def test_a_stream_of_a_job_that_has_no_id_is_refused_and_so_is_a_post(web: httpx.AsyncClient) -> None:
    answer = await web.get("/events?job=nonsense")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    answer = await web.post("/events")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


# How much runs and waits.


async def test_open_pages_are_told_how_much_runs_and_waits(hub: Hub) -> None:
    job = await submitted()
    async with gallery(hub) as page, opened(hub.job_page(job.id)) as job_page:
        for one in (page, job_page):
            await one.hears('hx-target="#queue-chip"', "1 waiting")
        assert await lifecycle.claim(30) is not None
        for one in (page, job_page):
            await one.hears('hx-target="#queue-chip"', "1 running")
        await lifecycle.cancel(job.id)
        running = await cards.by_id(job.id)
        assert running is not None
        for one in (page, job_page):
            one.got.clear()
        await lifecycle.end_canceled(running.job)
        for one in (page, job_page):
            assert "queue-link" not in await one.hears('hx-target="#queue-chip"')


async def test_jobs_that_are_no_longer_folded_are_sent_to_pages_that_have_no_cards_of_them(hub: Hub) -> None:
    later = await waits_for_another_try()
    jobs = [await submitted(f"fox {number}") for number in range(MAX_UNFOLDED)]
    async with gallery(hub) as page:
        await page.hears('hx-target="#queue-fold"', f"{MAX_UNFOLDED + 1} waiting")
        page.got.clear()
        await lifecycle.cancel(jobs[-1].id)
        for job in jobs[:-1]:
            await page.hears(f'hx-target="#job-{job.id}"', 'data-status="queued"')
        await page.hears(f'hx-target="#job-{later.id}"', 'data-status="retrying"')


async def test_a_page_that_was_away_when_they_unfolded_is_sent_them_as_well(hub: Hub) -> None:
    later = await waits_for_another_try()
    await until(lambda: queue_tally.known().waiting == 1)
    async with opened(hub.gallery(Sheet(), now() + timedelta(minutes=1))) as page:
        await page.hears(f'hx-target="#job-{later.id}"', 'data-status="retrying"')


async def waits_for_another_try() -> Job:
    """Return a job that is not in line, so that pages get no new place of it, and that changed long ago."""
    await submitted()
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.postpone(job, Failure("rate_limited", "Slow down.", True), 600.0)
    await passes(job.id, Job.changed_at)
    return job
