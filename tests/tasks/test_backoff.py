"""Backoff is arithmetic, so its bounds can be stated."""

from itertools import islice

import pytest

from tasks.backoff import DEFAULT_TIMINGS, polling_intervals

pytestmark = pytest.mark.once


@pytest.mark.parametrize(("failures", "longest"), [(1, 2), (2, 4), (5, 32), (8, 256), (9, 300), (1000, 300)])
def test_the_delay_is_anything_up_to_two_to_the_number_of_failures_but_five_minutes_at_most(
    failures: int, longest: float
) -> None:
    assert DEFAULT_TIMINGS.retry_delay(failures, chance=lambda: 1.0) == longest
    assert DEFAULT_TIMINGS.retry_delay(failures, chance=lambda: 0.0) == 0
    assert DEFAULT_TIMINGS.retry_delay(failures, chance=lambda: 0.5) == longest / 2


def test_what_the_other_side_asks_for_wins() -> None:
    assert DEFAULT_TIMINGS.retry_delay(1, retry_after=77.0) == 77.0
    assert DEFAULT_TIMINGS.retry_delay(9, retry_after=0.0) == 0.0


def test_polling_is_brisk_at_first_and_calm_later() -> None:
    intervals = list(islice(polling_intervals(), 50))
    assert intervals[0] == 0.5
    assert intervals == sorted(intervals)
    assert intervals[-1] == 5.0
