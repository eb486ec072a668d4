"""Actions on a job: by forms, by htmx, and by programs, which get the result."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tasks.db.tables import Job
from tasks.jobs import attempts, lifecycle
from tasks.library import cards
from tests.factories import completed, failed

HTMX = {"HX-Request": "true"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def waiting() -> Job:
    return await lifecycle.submit("a fox", "stability-ai/sdxl", {})


async def running() -> Job:
    await waiting()
    job = await lifecycle.claim(30)
    assert job is not None
    return job


async def canceled(web: httpx.AsyncClient, job: Job, code: int) -> dict[str, Any]:
    answer = await web.post(f"/jobs/{job.id}/cancel")
    assert answer.status_code == code, answer.text
    return dict(answer.json())


async def test_a_program_cancels_a_job_that_waits_and_is_told_so_each_time(web: httpx.AsyncClient) -> None:
    job = await waiting()
    for _ in range(2):
        body = await canceled(web, job, 200)
        assert (body["job_id"], body["status"], body["cancel"]) == (str(job.id), "canceled", "dequeued")


async def test_to_cancel_a_running_job_asks_its_worker(web: httpx.AsyncClient) -> None:
    job = await running()
    for _ in range(2):
        body = await canceled(web, job, 202)
        assert (body["status"], body["cancel"]) == ("running", "requested")
    answer = await web.post(f"/jobs/{job.id}/cancel")
    assert answer.headers["location"] == f"/status/{job.id}"
    assert answer.headers["retry-after"] == "1"
    await lifecycle.end_canceled(job)
    assert (await canceled(web, job, 200))["cancel"] == "dequeued"


async def test_to_cancel_a_job_that_comes_back_to_its_prediction_asks_a_worker(web: httpx.AsyncClient) -> None:
    job = await running()
    await attempts.begin(job, "stability-ai/sdxl", {})
    await lifecycle.resume_later(job, lifecycle.too_late(), 60)
    assert (await canceled(web, job, 202))["cancel"] == "requested"


@pytest.mark.parametrize("make", [completed, failed])
async def test_too_late_to_cancel_is_no_error(web: httpx.AsyncClient, make: Any) -> None:
    job = await make()
    body = await canceled(web, job, 200)
    assert body["cancel"] == "too_late"
    assert body["status"] in ("completed", "failed")


async def test_a_job_that_slips_back_into_the_queue_is_canceled_there(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await waiting()
    really, asked = lifecycle.cancel, 0

    async def first_in_vain(job_id: UUID) -> Job | None:
        nonlocal asked
        asked += 1
        return None if asked == 1 else await really(job_id)

    monkeypatch.setattr(lifecycle, "cancel", first_in_vain)
    assert (await canceled(web, job, 200))["cancel"] == "dequeued"
    assert asked == 2


async def test_a_program_retries_a_failed_job(web: httpx.AsyncClient) -> None:
    job = await failed()
    answer = await web.post(f"/jobs/{job.id}/retry")
    assert answer.status_code == 202
    body = answer.json()
    assert (body["job_id"], body["status"], body["place"]) == (str(job.id), "queued", 1)
    assert "error" not in body
    assert answer.headers["location"] == f"/status/{job.id}"
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("make", [waiting, running])
async def test_a_job_that_waits_or_runs_goes_on_when_it_is_retried(web: httpx.AsyncClient, make: Any) -> None:
    job = await make()
    answer = await web.post(f"/jobs/{job.id}/retry")
    assert (answer.status_code, answer.json()["status"]) == (200, job.status)


async def test_a_completed_job_is_not_retried(web: httpx.AsyncClient) -> None:
    job = await completed()
    answer = await web.post(f"/jobs/{job.id}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_retryable")
    card = await cards.by_id(job.id)
    assert card is not None
    assert card.job.status == "completed"


@pytest.mark.parametrize("action", ["cancel", "retry"])
async def test_a_deleted_job_is_gone_for_every_action(web: httpx.AsyncClient, action: str) -> None:
    job = await failed()
    await lifecycle.delete(job.id)
    answer = await web.post(f"/jobs/{job.id}/{action}")
    assert (answer.status_code, answer.json()["code"]) == (410, "job_deleted")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("action", ["cancel", "retry", "delete"])
async def test_an_action_takes_post_alone(web: httpx.AsyncClient, action: str, method: str) -> None:
    job = await waiting()
    answer = await web.request(method, f"/jobs/{job.id}/{action}")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


async def test_retry_has_it_wait_again_and_leads_a_browser_back(web: httpx.AsyncClient) -> None:
    job = await failed()
    headers = BROWSER | {"Referer": f"http://darkroom.test/jobs/{job.id}"}
    answer = await web.post(f"/jobs/{job.id}/retry", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
    card = await cards.by_id(job.id)
    assert card is not None
    assert card.job.status == "queued"


async def test_cancel_answers_with_the_card_in_the_gallery_and_with_the_whole_job_on_its_page(
    web: httpx.AsyncClient,
) -> None:
    job = await waiting()
    answer = await web.post(f"/jobs/{job.id}/cancel", headers=HTMX | {"HX-Current-URL": "http://darkroom.test/"})
    assert f'hx-target="#job-{job.id}"' in answer.text
    assert 'data-status="canceled"' in answer.text
    page = f"http://darkroom.test/jobs/{job.id}"
    answer = await web.post(f"/jobs/{job.id}/cancel", headers=HTMX | {"HX-Current-URL": page})
    assert f'hx-target="#job-page-{job.id}"' in answer.text


async def test_delete_removes_the_job_its_card_and_its_files(web: httpx.AsyncClient) -> None:
    job = await completed()
    answer = await web.post(f"/jobs/{job.id}/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert f"job-{job.id}" not in (await web.get("/")).text
    assert (await web.get(f"/media/{job.id}.png")).status_code == 404
    assert (await web.get(f"/jobs/{job.id}")).status_code == 410


async def test_a_job_that_has_not_ended_is_not_deleted(web: httpx.AsyncClient) -> None:
    job = await waiting()
    answer = await web.post(f"/jobs/{job.id}/delete")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_ended")


@pytest.mark.parametrize("referer", ["https://evil.example/x", "http://darkroom.test//evil.example/", "nonsense", ""])
async def test_a_form_leads_back_to_no_other_site(web: httpx.AsyncClient, referer: str) -> None:
    job = await failed()
    answer = await web.post(f"/jobs/{job.id}/retry", headers=BROWSER | {"Referer": referer})
    assert answer.headers["location"] == "/"
