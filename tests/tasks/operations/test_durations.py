"""Counts of durations add up, and say how long most took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.operations.durations import BOUNDS, Durations, merged


def durations(*seconds: float) -> Durations:
    counted = Durations()
    for each in seconds:
        counted.add(each)
    return counted


@given(st.lists(st.floats(0, BOUNDS[-1]), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_percentile_is_in_the_bucket_of_the_true_one(seconds: list[float], share: float) -> None:
    found = durations(*seconds).percentile(share)
    true = sorted(seconds)[max(0, -(-len(seconds) * round(share * 100) // 100) - 1)]
    high = next(bound for bound in BOUNDS if true <= bound)
    low = max((bound for bound in BOUNDS if bound < true), default=0.0)
    assert found is not None
    assert low <= found <= high


@given(st.lists(st.floats(-1, 10 * BOUNDS[-1])), st.lists(st.floats(-1, 10 * BOUNDS[-1])))
def test_merged_counts_are_those_of_all_and_are_read_as_they_were_written(one: list[float], other: list[float]) -> None:
    both = merged([durations(*one), durations(*other)])
    assert len(both) == len(one) + len(other)
    assert both.counts == durations(*one, *other).counts
    read = Durations.read(str(both))
    assert read.counts == both.counts
    assert read.seconds == pytest.approx(both.seconds, abs=0.001)


def test_without_durations_there_is_no_percentile() -> None:
    assert Durations().percentile(0.5) is None


def test_what_took_longer_than_the_last_bound_counts_as_that_long() -> None:
    assert durations(BOUNDS[-1] + 1).percentile(0.5) == BOUNDS[-1]


def test_counts_of_other_buckets_are_read_as_well() -> None:
    assert Durations.read("3.0 1 2").counts[:3] == [1, 2, 0]
    more = Durations.read("1.0 " + " ".join(["1"] * (len(BOUNDS) + 5)))
    assert (len(more), more.counts[-1]) == (len(BOUNDS) + 5, 5)
