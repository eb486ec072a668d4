"""The last prompts of whoever asks: their own, each once, with a thumbnail of a result."""

import re
from datetime import UTC, datetime
from html import unescape

import httpx
import pytest

from tasks.db.database import now
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.library import prompts
from tests import factories

ADDRESS = "/composer/prompts"


async def listed(web: httpx.AsyncClient, headers: dict[str, str] | None = None) -> list[str]:
    """Return the prompts as they would be typed, as the list has them."""
    answer = await web.get(ADDRESS, headers=headers)
    assert answer.status_code == 200
    return [unescape(words) for words in re.findall(r'data-prompt="([^"]*)"', answer.text)]


async def test_each_prompt_is_listed_once_and_the_newest_last(web: httpx.AsyncClient) -> None:
    for prompt in ("a fox", "a hare", "a fox"):
        await lifecycle.submit(prompt, "m/m", {})
    thrown_away = await lifecycle.submit("a wolf", "m/m", {})
    await Job.update({Job.trashed_at: now()}).where(Job.id == thrown_away.id)
    assert await listed(web) == ["a hare", "a fox"]


async def test_a_result_of_the_prompt_is_shown_even_if_a_newer_job_has_none(web: httpx.AsyncClient) -> None:
    finished = await factories.completed("a fox")
    await lifecycle.submit("a fox", "m/m", {})
    page = (await web.get(ADDRESS)).text
    assert re.findall(r'role="option"', page) == ['role="option"']
    assert f'id="prompt-{finished.id}"' in page


async def test_a_prompt_that_looks_like_a_matrix_is_listed_as_it_is_typed(web: httpx.AsyncClient) -> None:
    await lifecycle.submit("a {red|blue} fox", "m/m", {})
    assert await listed(web) == [r"a \{red\|blue\} fox"]


async def test_everyone_has_their_own(web: httpx.AsyncClient) -> None:
    anna, ben = await factories.person(), await factories.person("ben")
    for owner, prompt in ((anna.id, "anna's"), (ben.id, "ben's"), (None, "nobody's")):
        job = await lifecycle.submit(prompt, "m/m", {})
        await Job.update({Job.owner: owner}).where(Job.id == job.id)
    assert await listed(web, await factories.session_of(anna)) == ["anna's"]
    assert [card.job.prompt for card in await prompts.latest(None)] == ["nobody's"]


@pytest.mark.once
async def test_no_more_than_fifty_are_listed() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        Job(model="m/m", prompt=f"fox {number}", created_at=moment, changed_at=moment, due_at=moment)
        for number in range(prompts.MAX_PROMPTS + 1)
    ]
    await Job.insert(*rows)
    found = await prompts.latest(None)
    assert [card.job.prompt for card in found] == [f"fox {number}" for number in range(50, 0, -1)]
