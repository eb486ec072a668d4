"""Tests that the harness's orders to the stand-in hold as long as they should, even if it is killed in between."""

import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tasks.standin.app import create_app
from tasks.standin.faults import Faults, Rule
from tests.chaos.patience import until
from tests.chaos.world import World
from tests.tasks.standin.serving import Served


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database alone: nothing here uses it."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    running = Served(create_app(tmp_path / "world", control=True))
    world = World(running.address, tmp_path / "log")
    yield world
    await world.aclose()
    running.leave()
    running.join()


async def test_what_still_is_to_go_wrong_for_a_prompt_is_known(world: World) -> None:
    always = [Rule("webhook", "missing", match=prompt, times=0) for prompt in ("a fox", "a wolf")]
    await world.script([Rule("create", "reset", match="a fox"), *always])
    assert await world.has_left("a fox")
    assert not await world.has_left("a wolf")
    await world.calm()
    assert not await world.has_left("a fox")


async def test_what_was_noted_and_outages_are_told_to_a_stand_in_that_was_started_again(world: World) -> None:
    before = time.time()
    await world.script([Rule("file", "status", lasting=60), Rule("create", "reset", match="a fox")])
    [outage] = world.outages
    assert outage.on == "file"
    assert before <= outage.start <= time.time()
    assert outage.end == pytest.approx(outage.start + 60)
    async with httpx.AsyncClient() as client:  # as after a kill: it has forgotten everything
        await world.note()
        await client.delete(f"{world.address}/_standin/faults")
        await world.restore()
        left, reset = (await client.get(f"{world.address}/_standin/faults")).json()
    assert (left["on"], left["do"], reset["match"]) == ("file", "status", "a fox")
    assert 50 < left["lasting"] <= 60


async def test_an_outage_that_is_over_is_not_told_again(world: World) -> None:
    await world.script([Rule("list", "html502", lasting=0.001, match="over")])
    await until(partial(_is_over, world))
    await world.restore()
    assert not await world.has_left("over")
    assert [outage.on for outage in world.outages] == ["list"]


async def _is_over(world: World) -> bool:
    return not await world.has_left("over")


async def test_who_met_what_is_read_from_the_log_also_of_a_stand_in_that_was_killed(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "tasks.standin.faults")
    faults = Faults()
    faults.add([Rule("create", "deny", match="a fox", status=503), Rule("any", "html502", lasting=9)])
    for subject in ("a fox", "a fox }"):
        faults.take("create", subject)
    lines = [f"02:18:53 DEBUG tasks.standin.faults: {record.getMessage()}" for record in caplog.records]
    (tmp_path / "log").write_text("\n".join(["02:18:53 INFO other: met nobody", *lines, ""]))
    assert [(met.on, met.subject, met.rule.on, met.rule.status) for met in world.met()] == [
        ("create", "a fox", "create", 503),
        ("create", "a fox }", "any", 500),
    ]
