"""When an event is tried again, and what a receiver may ask for."""

from datetime import UTC, datetime

import pytest

from tasks.webhooks import schedule

pytestmark = pytest.mark.once

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def middle(least: float, most: float) -> float:
    return (least + most) / 2


def test_there_are_eight_tries_in_28_hours() -> None:
    waits = [schedule.wait(tries, None, middle) for tries in range(1, 9)]
    assert waits == [5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR, None]


def test_the_waits_differ_by_up_to_a_tenth_so_that_not_all_come_back_together() -> None:
    waits = {schedule.wait(2, None) for _ in range(100)}
    assert len(waits) > 50
    assert all(wait is not None and 270 <= wait <= 330 for wait in waits)


def test_a_receiver_may_ask_for_a_later_try_but_not_for_an_earlier_or_for_another_one() -> None:
    assert schedule.wait(1, 60.0, middle) == 60.0
    assert schedule.wait(3, 60.0, middle) == 30 * MINUTE
    assert schedule.wait(8, 60.0, middle) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0), ("0", 0.0), ("999999999", DAY), ("9" * 500, DAY), ("Mon, 30 Nov 2026 12:01:00 GMT", MINUTE),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0.0), ("Mon, 30 Nov 2026 12:01:00", MINUTE),
        ("Sun, 30 Nov 3026 12:00:00 GMT", DAY), ("", None), ("soon", None), ("-5", None), ("1.5", None),
        ("\u0661", None), ("Mon, 99 Nov 2026 12:01:00 GMT", None),
    ],
)  # fmt: skip
def test_what_a_receiver_asks_for_is_a_number_or_a_date(header: str, seconds: float | None) -> None:
    assert schedule.seconds_of(header, NOON) == seconds
