"""Ids sort by the time they were made, which can be read from them."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tasks.db import ids

MOMENT = datetime(2026, 3, 29, 12, 34, 56, 789000, tzinfo=UTC)

pytestmark = pytest.mark.once


def test_the_moment_of_an_id_is_the_time_it_was_made() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    assert before <= ids.moment_of(ids.new()) <= datetime.now(UTC)


def test_no_id_of_a_moment_is_less_than_its_first() -> None:
    first = ids.first_at(MOMENT)
    assert ids.moment_of(first) == MOMENT
    assert ids.moment_of(ids.before(first)) == MOMENT - timedelta(milliseconds=1)
    for seed in range(50):
        drawn = ids.drawn_at(MOMENT, Random(seed))
        assert ids.before(first) < first < drawn < ids.first_at(MOMENT + timedelta(milliseconds=1)) < ids.LAST
        assert drawn.version == 7
        assert drawn.variant == ids.new().variant
