"""The log of a command keeps each message on one line."""

import io
import logging

import pytest

from webapp.cli.logs import InALine

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def written(message: str, *arguments: object, error: Exception | None = None, has_traceback: bool = False) -> str:
    log, stream = logging.Logger("a"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(InALine("%(levelname)s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.error(message, *arguments, exc_info=error, extra={"has_traceback": has_traceback})
    return stream.getvalue()


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\x1b[31m", "\x00", "\x85", "\u2028", "\x9b"])
def test_what_a_stranger_sends_forges_no_line_of_the_log(sign: str) -> None:
    line = written("%s %s failed", "GET", f"/jobs/{sign}ERROR webapp: forged")
    assert line.startswith("ERROR a: GET /jobs/\\")
    assert len(line.splitlines()) == 1
    assert line[:-1].isprintable()


def test_words_of_every_language_stay_as_they_are_and_a_traceback_keeps_its_lines() -> None:
    assert written("ein Fuchs im Schnee, größer 狐") == "ERROR a: ein Fuchs im Schnee, größer 狐\n"
    assert written("it failed", error=ValueError("why")).splitlines()[1:] == ["ValueError: why"]


def test_a_traceback_in_a_message_keeps_its_lines_and_nothing_else_that_is_no_text() -> None:
    told = written("GET %s failed\n%s", "/jobs", "Traceback\n  why\x1b[31m", has_traceback=True)
    assert told.splitlines() == ["ERROR a: GET /jobs failed", "Traceback", "  why\\x1b[31m"]
