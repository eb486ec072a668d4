"""A part is killed, and the user of an open page loses nothing."""

import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Darkroom
from tests.waiting import wait_until


@pytest.mark.parametrize("part", ["worker", "valkey-server"])
def test_a_picture_under_way_is_finished_when_a_part_was_killed(page: Page, darkroom: Darkroom, part: str) -> None:
    prompt = f"a fox that outlives the {part}"
    darkroom.script({"on": "create", "match": prompt, "do": "run", "seconds": 3})
    page.goto("/")
    job_id = darkroom.post(prompt)
    card = page.locator(f"#job-{job_id}")
    expect(card).to_have_attribute("data-status", "running", timeout=60_000)
    wait_until(lambda: darkroom.created(prompt))  # what may not have been sent is searched for, and not sent again
    darkroom.kill(part)
    expect(card).to_have_attribute("data-status", "completed", timeout=60_000)
    assert len(darkroom.created(prompt)) == 1


def test_without_redis_a_prompt_is_accepted_at_once_and_made_when_redis_is_back(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    darkroom.kill("valkey-server")
    start = time.monotonic()
    job_id = darkroom.post("a fox without a queue")
    assert time.monotonic() - start < 2  # seconds, which a request to Redis may take
    expect(page.locator(f"#job-{job_id}")).to_have_attribute("data-status", "completed", timeout=60_000)
