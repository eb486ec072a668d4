"""A full queue, as it is reported to programs and to people."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from tasks.admission import batches
from tasks.db.tables import Job, Status
from tasks.jobs import backlog, lifecycle
from tasks.settings import settings
from tests.tasks.states import submitted

PROMPT = {"prompt": "a fox in the snow"}
HTMX = {"HX-Request": "true"}
HTML = {"Accept": "text/html"}
FULL = "2 of your jobs are already waiting; the limit is 2."


@pytest.fixture
async def ended(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Fill the queue with two waiting jobs, and return a canceled job, which could be retried."""
    web.cookies.clear()
    changed = settings.model_copy(update={"max_waiting": 4, "max_waiting_per_client": 2})
    for module in (backlog, batches):
        monkeypatch.setattr(module, "settings", changed)
    canceled = await submitted("")
    await lifecycle.cancel(canceled.id)
    backlog.count_waiting.cache_clear()
    for name in ("one", "other"):
        assert (await web.post("/generate", json=PROMPT, headers={"X-Client": name})).status_code == 202
    return canceled


async def test_programs_are_told_in_a_problem_and_when_to_try_again(web: httpx.AsyncClient, ended: Job) -> None:
    asked: list[Callable[[], Awaitable[httpx.Response]]] = [
        lambda: web.post("/generate", json=PROMPT, headers={"X-Client": "a-third"}),
        lambda: web.post("/batches", json={"prompt": "{a|b}"}),
        lambda: web.post(f"/jobs/{ended.id}/retry"),
        lambda: web.post("/selection", data={"action": "retry", "all": "1", "q": ""}),
    ]
    for ask in asked:
        answer = await ask()
        assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
        assert answer.headers["retry-after"] == "60"
        assert answer.json() == {
            "type": "/errors/queue_full", "title": "Queue full", "status": 429, "detail": FULL, "code": "queue_full",
            "request_id": answer.headers["X-Request-ID"],
        }  # fmt: skip
    assert await Job.count().where(Job.status == Status.QUEUED) == 2


async def test_somebody_else_is_not_held_up_by_that(web: httpx.AsyncClient, ended: Job) -> None:
    transport = web._transport
    assert isinstance(transport, httpx.ASGITransport)
    elsewhere = httpx.ASGITransport(app=transport.app, client=("192.0.2.7", 50000))
    async with httpx.AsyncClient(transport=elsewhere, base_url="http://darkroom.test") as other:
        for _ in range(2):
            assert (await other.post("/generate", json=PROMPT)).status_code == 202
        refused = await other.post("/generate", json=PROMPT)
        assert refused.json()["detail"] == "4 jobs are already waiting; the limit is 4."


@pytest.mark.parametrize("headers", [HTMX, HTML])
@pytest.mark.parametrize("prompt", ["a fox in the snow", "a {red|blue} fox"])
async def test_the_composer_says_it_and_keeps_what_was_typed(
    web: httpx.AsyncClient, ended: Job, headers: dict[str, str], prompt: str
) -> None:
    answer = await web.post("/jobs", data={"prompt": prompt}, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert f"<li>{FULL}</li>" in answer.text
    assert f"{prompt}</textarea>" in answer.text


async def test_a_button_that_has_a_job_tried_again_says_it(web: httpx.AsyncClient, ended: Job) -> None:
    answer = await web.post(f"/jobs/{ended.id}/retry", headers=HTMX | HTML)
    assert answer.status_code == 429
    assert f'class="error-message">{FULL}' in answer.text
