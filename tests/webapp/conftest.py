"""What the tests of the web need besides: none hears of the halts, workers and durations of another."""

import pytest


@pytest.fixture(autouse=True)
async def empty(empty: None) -> None:
    """Each test finds the tables empty, no worker, and no memory of what was before."""
    from tasks import estimates, events, months
    from webapp import halted

    await halted.look()
    await events.redis().delete(events.WORKERS)
    estimates.forget()
    months.forget()
