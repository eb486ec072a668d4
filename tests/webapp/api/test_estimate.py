"""POST /estimate checks a request like the one that submits it, and tells what it will cost."""

from typing import Any

import httpx
import pytest

from tasks.db.tables import Job
from tests.factories import FLUX


async def estimated(web: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await web.post("/estimate", json=body)
    assert answer.status_code == 200, answer.text
    assert await Job.count() == 0
    return dict(answer.json())


async def test_a_job_is_estimated_with_its_price(web: httpx.AsyncClient) -> None:
    body = {"prompt": "a {red|blue} fox", "model": FLUX, "parameters": {"num_outputs": 4}, "priority": "high"}
    assert await estimated(web, **body) == {
        "jobs": 1, "basis": "metrics", "low": "0.012", "high": "0.012",
        "price": {
            "text": "$3.00 per thousand output images", "source": f"https://replicate.com/{FLUX}",
            "checked": "2026-10-01",
        },
    }  # fmt: skip


async def test_a_batch_is_estimated_as_a_whole(web: httpx.AsyncClient) -> None:
    body = {"prompt": "a {red|blue} fox", "models": [FLUX], "seeds": 3}
    found = await estimated(web, **body)
    assert (found["jobs"], found["low"], found["high"]) == (6, "0.018", "0.018")


async def test_without_a_known_price_there_is_no_amount(web: httpx.AsyncClient) -> None:
    assert await estimated(web, prompt="a fox") == {"jobs": 1, "basis": "unknown"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"prompt": ""}, "/prompt"),
        ({"prompt": "a", "parameters": {"num_outputs": 99}, "model": FLUX}, "/parameters/num_outputs"),
        ({"prompt": "a", "nope": 1}, "/nope"),
        ({"prompt": "a", "seeds": 0}, "/seeds"),
        ({"prompt": "a", "models": [FLUX], "model": FLUX}, "/model"),
        ({"prompt": "a", "priority": "now"}, "/priority"),
    ],
)
async def test_what_would_be_refused_is_refused(web: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    answer = await web.post("/estimate", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"#{pointer}"]
