"""The two databases differ in one place."""

from itertools import pairwise
from uuid import UUID

import pytest

from tasks.db import ids
from tasks.db.dialect import new_id
from tasks.db.tables import Job
from tasks.settings import ROOT


@pytest.mark.once
def test_no_module_outside_of_the_database_package_asks_which_database_it_has() -> None:
    files = [file for folder in ("tasks", "webapp") for file in (ROOT / folder).rglob("*.py")]
    asking = [file for file in files if "engine_type" in file.read_text() or "ON_POSTGRES" in file.read_text()]
    assert {file.parent.relative_to(ROOT).as_posix() for file in asking} == {"tasks/db"}


async def test_the_ids_that_a_query_makes_are_of_this_moment_and_all_different() -> None:
    ten = " UNION ALL ".join(["SELECT 1 AS one"] * 10)
    first = ids.new()
    made = sorted(row["id"] for row in await Job.raw(f"SELECT {{}} AS id FROM ({ten}) AS ten", new_id()))
    made = [made_id if hasattr(made_id, "version") else UUID(made_id) for made_id in made]
    assert all(one < other for one, other in pairwise(made))
    for made_id in made:
        assert made_id.version == 7
        assert made_id.variant == first.variant
        assert (ids.moment_of(made_id) - ids.moment_of(first)).total_seconds() < 5
