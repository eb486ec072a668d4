"""`darkroom spend` prints what the runs of a month cost, by model."""

import asyncio
import os
import sys
from datetime import UTC, datetime

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.money_tables import Ledger
from tasks.settings import ROOT
from tests import factories


async def printed(*words: str, **environment: str) -> tuple[int | None, list[str]]:
    """Run the command. Returns its exit code and the lines that it printed, without their padding."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "webapp", "spend", *words, cwd=ROOT, env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, [" ".join(line.split()) for line in said.decode().splitlines()]


async def test_the_month_that_runs_is_summed_up_by_model() -> None:
    await factories.paid(image_output_count=4)
    await factories.paid(image_output_count=1)
    await factories.paid("stability-ai/sdxl", predict_time=1.5)
    assert await printed() == (
        0,
        [
            f"{now():%Y-%m} runs pretend cost",
            "black-forest-labs/flux-schnell 2 $0.015",
            "total 2 $0.015",
            "Not counted, because their price is not known: 1 run.",
        ],
    )


async def test_what_the_stand_in_made_is_not_added_to_what_replicate_charges() -> None:
    await factories.paid(image_output_count=4)
    month = f"{now():%Y-%m}"
    assert await printed(REPLICATE_API_TOKEN="r8_none") == (0, [f"{month} runs cost", "total 0 $0.00"])


async def test_a_month_without_runs_cost_nothing() -> None:
    assert await printed("--month", "2026-01") == (0, ["2026-01 runs pretend cost", "total 0 $0.00"])


async def test_a_month_begins_and_ends_in_the_time_zone_of_darkroom() -> None:
    for at in (datetime(2026, 10, 31, 11, tzinfo=UTC), datetime(2026, 11, 30, 10, 59, tzinfo=UTC)):
        entry = Ledger(
            at=at, job=ids.new(), attempt=ids.new(), model="a/b", micros=3_000, basis="metrics", pretend=True
        )
        await Ledger.insert(entry)
    november = await printed("--month", "2026-11", TIMEZONE="Pacific/Auckland")
    assert november == (0, ["2026-11 runs pretend cost", "a/b 2 $0.006", "total 2 $0.006"])
    assert (await printed("--month", "2026-11"))[1][-1] == "total 1 $0.003"


@pytest.mark.once
@pytest.mark.parametrize("month", ["2026", "2026-13", "1969-12", "9999-12", "2026-1", "now"])
async def test_a_month_that_is_none_is_refused(month: str) -> None:
    code, lines = await printed("--month", month)
    assert code == 2
    assert "must be a year and a month, such as 2026-11" in lines[-1]
