"""The queries that run all the time read few jobs, however many there are: their plans, on both databases."""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from obstore.store import MemoryStore
from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.steps import Step
from tasks.db.tables import TABLES, Collection, Job, Library, Stage, Status
from tasks.demo import past, seeding
from tasks.files import exports, media_files, pending_files
from tasks.files.storage import Storage, Stored
from tasks.jobs import attempts, backlog, lifecycle, queue
from tasks.jobs.insert import Terms
from tasks.library import cards, paging
from tasks.library.paging import Place, Sort
from tasks.library.query import parse
from tasks.worker import rescuer
from tests.tasks.demo.test_demo import SHELF
from tests.tasks.work import a_worker

COUNT = 4000
SOMEBODY = "019ab0c4-5d1e-7b36-9533-e50ac26d7632"
WAITING, RESUMED, RUNNING = 300, 20, 40
LARGE = ("job", "attempt", "output", "job_tag", "job_words", "collection_item")
OF_THE_QUEUE = ("job_waiting", "job_client", "job_resumed", "job_leased", "job_expiring")
"""Indexes of the few jobs that wait or run. Reading one of them to its end is not a full scan."""


@pytest.fixture(scope="module")
async def many(database: None) -> None:
    """Create a library of a few thousand jobs, some of which wait or run, and let the planner analyze it."""
    for table in reversed(TABLES):
        if table is not Library:  # its mark is in storage
            await table.delete(force=True)
    wall = Collection(name="Winter", created_at=now())
    await wall.save()
    for rows in past.jobs(COUNT, now(), SHELF, [wall.id], Random(1), COUNT):
        await seeding.write(rows)
    newest = [row["id"] for row in await Job.select(Job.id).order_by(Job.id, ascending=False).limit(WAITING + RUNNING)]
    later = now() + timedelta(days=1)
    waiting: dict[Any, Any] = {Job.status: Status.QUEUED, Job.finished_at: None, Job.deadline_at: later}
    for client in range(3):
        some = Job.id.is_in(newest[client:WAITING:3])
        await Job.update({**waiting, Job.client: f"c{client}"}).where(some)
    await Job.update({Job.attempt: ids.new()}).where(Job.id.is_in(newest[:RESUMED]))
    running: dict[Any, Any] = {
        Job.status: Status.RUNNING,
        Job.lease_until: later,
        Job.finished_at: None,
        Job.lease_token: ids.new(),
    }
    await Job.update(running).where(Job.id.is_in(newest[WAITING:]))
    await Job.raw("ANALYZE")


@pytest.fixture(autouse=True)
async def empty(many: None) -> None:
    """Let the tests here find the library instead of empty tables."""


async def counted() -> None:
    backlog.count_waiting.cache_clear()
    await backlog.count_waiting()


async def rescued() -> None:
    async with a_worker() as worker:
        await rescuer.rescue(worker)


QUEUE: dict[str, Callable[[], Awaitable[Any]]] = {
    "claim": lambda: lifecycle.claim(30),
    "take over": lambda: lifecycle.take_over(30),
    "requeue": lifecycle.requeue,
    "expire": lifecycle.expire,
    "rescue": rescued,
    "renew": lambda: lifecycle.renew([ids.new()], 30),
    "report": lambda: lifecycle.report(_held(), Stage.PROCESSING, 0.5),
    "begin an attempt": lambda: attempts.begin(_held(), "a/b", {"seed": 7}),
    "submit, with the next turn": lambda: lifecycle.submit("a fox", "a/b", {}, Terms(client="c1")),
    "place": lambda: queue.places([Job(id=ids.new()), Job(id=ids.new())]),
    "front": queue.front,
    "how much waits": counted,
}
PAGES: dict[str, Callable[[], Awaitable[Any]]] = {
    "changed since": lambda: cards.changed_since(now(), 200),
    "which file it is": lambda: media_files.find(f"{SOMEBODY}.png"),
    "whose preview it is": lambda: media_files.find(f"{SOMEBODY}.preview.webp"),
    "what is owed": lambda: pending_files.sweep(Storage(MemoryStore())),
    "whose file it is": lambda: exports.prepare("a.png", "a.png", Stored(7, '"a"', now()), Storage(MemoryStore())),
}
FIELDS = (
    "", "fox", '"in the snow"', "-snow", "fox -snow", "model:flux", "model:nothing", "-model:flux", "status:failed",
    "status:queued", "status:failed,canceled", "kind:video", "tag:birthday", "-tag:birthday", 'collection:"winter"',
    "fav:yes", "fav:no", "rating:>=4", "rating:0", "seed:7", "before:2026", "after:2026-09", "on:2026-09",
    f"batch:{SOMEBODY}", f"from:{SOMEBODY}", "in:trash", "fox model:sdxl status:completed rating:5 -snow",
)  # fmt: skip


FEW = {
    "seed:7": "job_seed", f"batch:{SOMEBODY}": "job_batch", f"from:{SOMEBODY}": "job_made_from",
    "tag:birthday": "job_tag_once", "tag:birthday fox": "job_tag_once",
    "in:trash": "job_trashed",
}  # fmt: skip
"""Searches that find few jobs -> the index that finds them."""


def _held() -> Job:
    return Job(id=ids.new(), lease_token=ids.new(), started_at=now())


@pytest.mark.parametrize("name", QUEUE)
async def test_the_queue_reads_only_jobs_that_wait_or_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await plans(QUEUE[name], monkeypatch)
    assert [index for _, index in read_to_the_end(plan) if index not in OF_THE_QUEUE] == [], "\n".join(plan)


@pytest.mark.parametrize("name", PAGES)
async def test_pages_and_files_ask_for_few_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await plans(PAGES[name], monkeypatch)
    assert read_to_the_end(plan) == [], "\n".join(plan)


@pytest.mark.parametrize("search", FIELDS)
async def test_every_field_is_found_along_an_index(search: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for sort in Sort:
        page = partial(paging.next_ids, parse(search), sort, Place(sort, ids.new()), 49)
        plan = await plans(page, monkeypatch)
        assert [table for table, index in read_to_the_end(plan) if not index] == [], "\n".join(plan)


@pytest.mark.parametrize("search", FEW)
async def test_the_few_that_a_field_finds_are_looked_up(search: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await plans(lambda: paging.next_ids(parse(search), Sort.NEWEST, None, 49), monkeypatch)
    assert FEW[search] in "\n".join(plan)


def read_to_the_end(plan: list[str]) -> list[tuple[str, str | None]]:
    """Return the large tables that are read from one end to the other, and the index used for this, or None."""
    if DB.engine_type == "sqlite":
        found = [re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?(?! VIRTUAL)", line) for line in plan]
        return [(match[1], match[2]) for match in found if match and match[1] in LARGE]
    nodes = re.split(r"(?:^|\n) *(?:->)? *(?=\S.*\(cost=)", "\n".join(plan))
    scans = [
        (re.match(r"(?:Parallel )?(?:Seq|Index|Bitmap)\b.* Scan\b.*? (?:using (\w+) )?on (\w+)", node), node)
        for node in nodes
    ]
    return [
        (match[2], match[1])
        for match, node in scans
        if match and match[2] in LARGE and "Index Cond" not in node and not node.startswith("Bitmap Heap")
    ]


async def plans(ask: Callable[[], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the database's plans for all queries of a call. On PostgreSQL: with indexes, where these apply."""
    asked: list[QueryString] = []
    run, run_alike, run_steps = type(DB).run_querystring, type(DB).run_alike, type(DB).run_steps

    async def listen(self: Any, query: QueryString, in_pool: bool = True) -> Any:
        asked.append(query)
        return await run(self, query, in_pool)

    async def listen_to_all(self: Any, queries: Sequence[QueryString]) -> Any:
        asked.extend(queries)
        return await run_alike(self, queries)

    async def listen_to_steps(self: Any, steps: Sequence[Step]) -> Any:
        asked.extend(step.statement for step in steps)
        return await run_steps(self, steps)

    with monkeypatch.context() as listening:
        listening.setattr(type(DB), "run_steps", listen_to_steps)
        listening.setattr(type(DB), "run_querystring", listen)
        listening.setattr(type(DB), "run_alike", listen_to_all)
        await ask()
    assert asked
    postgres, lines = DB.engine_type == "postgres", []
    async with DB.transaction():
        if postgres:
            await Job.raw("SET LOCAL enable_seqscan = off")  # reading a few thousand rows is faster than using an index
        for query in asked:
            rows = await Job.raw("EXPLAIN {}" if postgres else "EXPLAIN QUERY PLAN {}", query)
            lines += [row["QUERY PLAN" if postgres else "detail"] for row in rows]
    return lines
