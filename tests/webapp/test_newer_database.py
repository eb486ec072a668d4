"""A newer version has migrated the database: processes of this one go on, and leave alone what they do not know."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from tasks.db.database import DB, now
from tasks.db.dialect import from_now
from tasks.db.tables import TABLES, Job
from tasks.webhooks import deliveries
from tests import factories
from tests.conftest import Faults
from tests.tasks.outbox.hooks import endpoint, happened
from tests.tasks.work import at_work, ended, submitted

PAGES = (
    "/", "/?q=fox", "/jobs.json", "/queue", "/queue.json", "/models", "/collections", "/searches", "/spend", "/prices",
    "/webhooks", "/settings", "/finished.json",
)  # fmt: skip


@pytest.fixture
async def newer(empty: None) -> AsyncIterator[None]:
    """Add a column to each table, as later versions add them: with a default, so that it can be left out."""
    names = [table._meta.tablename for table in TABLES]
    for name in names:
        await DB.run_ddl(f'ALTER TABLE "{name}" ADD COLUMN of_tomorrow INTEGER NOT NULL DEFAULT 7')
    yield
    for name in names:
        await DB.run_ddl(f'ALTER TABLE "{name}" DROP COLUMN of_tomorrow')


async def test_jobs_run_and_are_shown_although_each_table_has_an_unknown_column(
    web: httpx.AsyncClient, newer: None, faults: Faults
) -> None:
    body = {"prompt": "a fox of tomorrow", "parameters": {"width": 64, "height": 64}}
    job_id = (await web.post("/generate", json=body)).raise_for_status().json()["job_id"]
    [job] = await Job.objects().where(Job.id == UUID(job_id))
    async with at_work():
        assert (await ended(job)).job.status == "completed"
    (await web.patch(f"/jobs/{job_id}", json={"rating": 4})).raise_for_status()
    await look_around(web, job)
    assert await Job.raw("SELECT of_tomorrow FROM job") == [{"of_tomorrow": 7}]


async def look_around(web: httpx.AsyncClient, job: Job) -> None:
    for path in (*PAGES, f"/status/{job.id}", f"/jobs/{job.id}", f"/jobs/{job.id}/panel"):
        answer = await web.get(path, headers={"Accept": "application/json" if "json" in path else "text/html"})
        assert answer.status_code == 200, path


async def test_webhooks_are_sent_although_their_table_has_an_unknown_column(newer: None) -> None:
    await endpoint()
    await happened()
    assert await deliveries.claim(from_now) is not None


async def test_a_job_in_a_state_of_tomorrow_is_shown_and_left_alone(web: httpx.AsyncClient, faults: Faults) -> None:
    job = await factories.submitted("a fox at rest")
    await Job.update({Job.status: "resting", Job.stage: "dreaming", Job.changed_at: now()}).where(Job.id == job.id)
    [before] = await Job.select()
    async with at_work():
        await ended(await submitted("a fox at work"))
    await look_around(web, job)
    assert (await web.get(f"/status/{job.id}")).json()["status"] == "resting"
    assert await Job.select().where(Job.id == job.id) == [before]
