"""The line that shows how a job is."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import UUID

import pytest

from webapp.cli.progress_bar import ProgressBar, line
from webapp.client.shapes import Job

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def job(status: Any, **members: Any) -> Job:
    return Job(
        job_id=UUID("019ab0c4-5d1e-7b36-9533-e50ac26d7632"), status=status, prompt="a fox", model="a/b", parameters={},
        priority="normal", created_at=datetime(2026, 11, 30, tzinfo=UTC), retry_count=0, **members,
    )  # fmt: skip


class Screen(StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (job("queued"), f"[{'-' * 24}] queued"),
        (job("queued", place=3), f"[{'-' * 24}] queued, place 3"),
        (job("running", stage="starting"), f"[{'-' * 24}] running: starting"),
        (job("running", stage="processing", progress=0.5), f"[{'#' * 12}{'-' * 12}]  50% running: processing"),
        (job("running", stage="downloading"), f"[{'#' * 24}] running: downloading"),
        (job("completed"), f"[{'#' * 24}] completed"),
        (
            job("queued", retry_at=datetime(2026, 11, 30, tzinfo=UTC), last_error="It\x1b is busy."),
            f"[{'-' * 24}] waits for another try: It\\x1b is busy.",
        ),
    ],
)
def test_a_job_is_a_line(shown: Job, text: str) -> None:
    assert line(shown) == text


def test_a_line_takes_the_place_of_the_one_before() -> None:
    screen = Screen()
    with ProgressBar(screen) as bar:
        bar.show(job("running", stage="processing"))
        bar.show(job("queued"))
    long, short = line(job("running", stage="processing")), line(job("queued"))
    assert screen.getvalue() == f"\r{long}\r{short.ljust(len(long))}\r{' ' * len(short)}\r"


def test_off_a_terminal_nothing_is_written() -> None:
    stream = StringIO()
    with ProgressBar(stream) as bar:
        bar.show(job("queued"))
    assert stream.getvalue() == ""
