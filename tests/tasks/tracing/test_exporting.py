"""What is logged of trouble with traces."""

import logging

import pytest

from tasks.tracing.exporting import LOG_SECONDS, Seldom


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def test_of_many_messages_one_is_logged_each_minute(caplog: pytest.LogCaptureFixture) -> None:
    moments = iter([0.0, 0.0, 1.0, LOG_SECONDS - 1, LOG_SECONDS, LOG_SECONDS, LOG_SECONDS + 1])
    library = logging.Logger("library")
    library.addHandler(Seldom(lambda: next(moments)))
    library.info("not told at all")
    for number in range(5):
        library.warning("away %d", number)
    assert [record.getMessage() for record in caplog.records] == ["traces: away 0", "traces: away 3"]
