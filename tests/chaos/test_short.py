"""A short storm on each database. `make chaos` is the long one."""

import os
from pathlib import Path

import pytest

from tests.chaos.__main__ import tell
from tests.chaos.round import play
from tests.chaos.size import SHORT

SEED = int(os.environ.get("SEED", "1"))
"""The seed of the same storm each time, so that a failure can be repeated. `make chaos` draws new ones."""


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database alone: nothing here uses it."""


@pytest.mark.timeout(420)
@pytest.mark.parametrize("database", SHORT)
async def test_after_a_short_storm_nothing_is_lost_doubled_or_wrong(database: str, tmp_path: Path) -> None:
    result = await play(SEED, database, SHORT[database], tmp_path / "storm")
    print(f"SEED={SEED}")
    tell(result)
    assert result.violations == []
    assert result.counts.total() >= SHORT[database].jobs
    assert result.kills > 0
    assert result.faults > 0
