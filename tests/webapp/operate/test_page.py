"""/operate: what is wrong is seen on it, told apart, and mended from it where that is possible."""

import asyncio
import re
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from tasks.accounts import audit
from tasks.accounts.actors import OPEN_HOUSE, Role
from tasks.db.database import now
from tasks.db.operation_tables import WorkerProcess
from tasks.db.tables import Job, Status
from tasks.errors import Failure
from tasks.health import checks
from tasks.health.checks import Check
from tasks.jobs import estimates, lifecycle, pauses, workers
from tasks.jobs.workers import Presence
from tasks.operations import activity, alerts, queue_state, storage_use
from tasks.operations.alerts import AlertKind
from tasks.operations.storage_use import Space
from tasks.replicate import circuit
from tests import factories
from tests.factories import attempted, failed
from tests.webapp.live.test_stream import Page
from webapp.live.board import Board

HTML = {"Accept": "text/html"}
WELL = {name: Check("", 0.01) for name in ("database", "redis", "storage")}
ROOMY = Space(50, 100)


async def page(web: httpx.AsyncClient, headers: dict[str, str] | None = None) -> str:
    answer = await web.get("/operate", headers=HTML | (headers or {}))
    assert answer.status_code == 200, answer.text
    return answer.text


def kinds(html: str) -> list[str]:
    return re.findall(r'data-alert="([^"]+)"', html)


async def silent(presence: Presence) -> None:
    long_ago = now() - timedelta(seconds=workers.LATE_SECONDS + 1)
    await WorkerProcess.update({WorkerProcess.seen_at: long_ago}).where(WorkerProcess.id == presence.id)


async def alerted(space: Space | None = ROOMY) -> list[AlertKind]:
    found = await alerts.without_checks(await queue_state.current(), await workers.everyone(), space)
    return [alert.kind for alert in found]


async def test_where_all_is_well_nothing_needs_attention(web: httpx.AsyncClient) -> None:
    await Presence(4).show(1)
    html = await page(web)
    assert kinds(html) == []
    assert "Nothing needs your attention." in html
    assert "1 of 4 jobs" in html


@pytest.mark.parametrize("code", ["provider_away", "provider_auth", "provider_billing"])
async def test_a_halt_of_the_provider_is_told_with_its_code(web: httpx.AsyncClient, code: str) -> None:
    await Presence(4).show(0)
    await circuit.trip(Failure(code, "Replicate does not want us."))
    html = await page(web)
    assert kinds(html) == ["halted"]
    assert "Replicate does not want us." in html
    assert code in html


async def test_workers_that_are_gone_are_told_and_told_apart_from_one_that_is(web: httpx.AsyncClient) -> None:
    killed, alive = Presence(4), Presence(4)
    await killed.show(2)
    await silent(killed)
    assert kinds(await page(web)) == ["no_workers"]
    await alive.show(0)
    html = await page(web)
    assert kinds(html) == ["worker_gone"]
    assert "Not seen for" in html


def test_parts_that_do_not_work_are_told_apart() -> None:
    def kind(part: str, check: Check) -> list[AlertKind]:
        return [alert.kind for alert in alerts.of_checks(WELL | {part: check})]

    assert kind("database", Check("disk full", 0.1)) == [AlertKind.DATABASE_AWAY]
    assert kind("database", Check("", alerts.SLOW_SECONDS + 0.1)) == [AlertKind.DATABASE_SLOW]
    assert kind("storage", Check("no space left", 0.1)) == [AlertKind.STORAGE_AWAY]
    assert kind("redis", Check("away", 0.1)) == [AlertKind.REDIS_AWAY]
    assert alerts.of_checks(WELL) == []


async def test_a_check_that_hangs_is_one_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECK_TIMEOUT", 0.05)
    check = await checks.checked(lambda: asyncio.sleep(10))
    assert not check.works
    assert "no answer within" in check.fault


async def test_a_disk_that_is_nearly_full_is_told(database: None) -> None:
    await Presence(4).show(0)
    assert await alerted(Space(9, 100)) == [AlertKind.STORAGE_LOW]
    assert await alerted(Space(11, 100)) == []
    assert await alerted(None) == []


async def test_a_queue_in_which_jobs_wait_although_there_is_room_is_stalled(database: None) -> None:
    await Presence(1).show(0)
    await factories.submitted()
    assert await alerted() == []
    await Job.update({Job.due_at: now() - alerts.STALLED_AFTER}, force=True)
    assert await alerted() == [AlertKind.STALLED]
    await lifecycle.claim(30)
    await factories.submitted()
    await Job.update({Job.due_at: now() - alerts.STALLED_AFTER}, force=True)
    estimates.number_running.cache_clear()
    assert await alerted() == [], "the one slot is taken"


async def test_models_are_paused_and_resumed_from_it_and_that_is_in_the_audit(web: httpx.AsyncClient) -> None:
    await Presence(1).show(0)
    model = "stability-ai/sdxl"
    sent = {"model": model, "reason": "too dear", "minutes": "60"}
    back = HTML | {"Referer": "http://darkroom.test/operate"}
    answer = await web.post("/queue/pause", data=sent, headers=back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/operate")
    [pause] = await pauses.listed()
    assert pause.until is not None
    assert 59 < (pause.until - now()).total_seconds() / 60 <= 60
    html = await page(web)
    assert "too dear" in html
    assert f'aria-label="Resume {model}"' in html
    await web.post("/queue/resume", data={"model": model}, headers=back)
    assert await pauses.listed() == []
    assert [entry.action for entry in await audit.latest(2)] == ["model resumed", "model paused"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"model": "no model"}, "#/model"),
        ({"model": "owner/name:1"}, "#/model"),
        ({"model": 7}, "#/model"),
        ({"reason": "x" * 201}, "#/reason"),
        ({"until": "tomorrow"}, "#/until"),
        ({"until": "2020-01-01T00:00:00Z"}, "#/until"),
        ({"until": "2030-01-01T00:00:00"}, "#/until"),
        ({"minutes": 5}, "#/minutes"),
    ],
)
async def test_programs_are_told_what_is_wrong_with_a_pause(
    web: httpx.AsyncClient, body: dict[str, object], pointer: str
) -> None:
    answer = await web.post("/queue/pause", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await pauses.listed() == []
    assert await circuit.current() is None


async def test_programs_pause_a_model_and_see_that_in_the_queue(web: httpx.AsyncClient) -> None:
    key = await factories.key_of(await factories.person(role=Role.ADMIN), "operate", "read:all")
    sent = {"model": "stability-ai/sdxl", "until": "2099-01-01T00:00:00+01:00"}
    answer = await web.post("/queue/pause", json=sent, headers=key)
    assert answer.status_code == 200
    [paused] = answer.json()["paused"]
    assert (paused["model"], paused["by"], paused["until"]) == (
        "stability-ai/sdxl", "anna/ci", "2098-12-31T23:00:00Z",
    )  # fmt: skip
    assert (await web.get("/queue.json", headers=key)).json()["paused"] == [paused]
    answer = await web.post("/queue/resume", json={"model": "stability-ai/sdxl"}, headers=key)
    assert "paused" not in answer.json()


async def test_a_worker_is_drained_and_resumed_from_it(web: httpx.AsyncClient) -> None:
    presence = Presence(4)
    await presence.show(0)
    address = f"/operate/workers/{presence.id}"
    assert (await web.post(f"{address}/drain", headers=HTML)).status_code == 303
    assert await presence.show(0)
    assert "drains" in await page(web)
    await web.post(f"{address}/resume", headers=HTML)
    assert not await presence.show(0)
    assert (await web.post(f"/operate/workers/{uuid4()}/drain")).status_code == 404
    assert [entry.action for entry in await audit.latest(2)] == ["worker resumed", "worker drained"]


async def test_failures_alike_are_retried_after_a_question_with_their_price(web: httpx.AsyncClient) -> None:
    jobs = [await failed() for _ in range(3)]
    html = await page(web)
    [address] = re.findall(r'href="(/operate/failures/[^"]+)"', html)
    question = await web.get(address, headers=HTML)
    assert "Retry 3 prints" in question.text
    assert "osts" in question.text
    assert (await web.post(f"{address}/retry", headers=HTML)).status_code == 303
    assert {row["status"] for row in await Job.select(Job.status)} == {Status.QUEUED}
    assert (await web.get(address, headers=HTML)).status_code == 404
    assert [entry.action for entry in await audit.latest(1)] == ["failures retried"]
    assert len(jobs) == 3


async def test_failures_are_dismissed(web: httpx.AsyncClient) -> None:
    await failed()
    [address] = re.findall(r'href="(/operate/failures/[^"]+)"', await page(web))
    assert (await web.post(f"{address}/dismiss", headers=HTML)).status_code == 303
    assert "/operate/failures/" not in await page(web)
    assert (await web.post(f"{address}/dismiss")).status_code == 404


async def test_what_was_done_is_seen_by_model_and_in_the_plots(web: httpx.AsyncClient) -> None:
    await attempted()
    await attempted(code="model_failed")
    await activity.count()
    await storage_use.measure()
    html = await page(web)
    assert "Last hour: 1 succeeded, 1 failed" in html
    assert "Last 31 days: 1 succeeded, 1 failed" in html
    assert "50% of 2" in html


async def test_open_pages_hear_of_what_changed_and_of_nothing_else(database: None) -> None:
    rendered, pulse, html = 0, 1, "one"

    async def render() -> str:
        nonlocal rendered
        rendered += 1
        return html

    async def felt() -> object:
        return pulse

    board = Board(render, felt)
    await board._tell()
    assert rendered == 0, "no page is open"
    open_page = Page(board.stream(OPEN_HOUSE))
    await open_page.hears("one")
    await board._tell()
    for _ in range(3):
        await board._tell()
    assert rendered == 2
    pulse, html = 2, "two"
    await board._tell()
    await open_page.hears("two")
    assert rendered == 3
    await open_page.close()


async def test_who_may_only_look_gets_no_stream_of_what_to_do(web: httpx.AsyncClient) -> None:
    """The buttons are rendered for all, and hidden by what the page says the viewer may do."""
    admin = await factories.person("boss", Role.ADMIN)
    html = await page(web, await factories.session_of(admin))
    assert 'data-may="submit tidy operate"' in html
    key = await factories.key_of(admin, "operate:read")
    assert 'data-may=""' in (await web.get("/operate", headers=key)).text
