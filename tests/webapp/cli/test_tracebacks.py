"""Tracebacks in the log: bounded, and with the messages of those errors alone that quote nobody."""

import sys

import pytest

from tasks.errors import DatabaseAway, Failure
from tasks.settings import SettingsError
from webapp.cli import tracebacks

pytestmark = pytest.mark.once

PROMPT = "a fox in the snow"


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def told(error: BaseException, whole: bool = False) -> str:
    """Return the traceback of an error that is raised here."""
    try:
        raise error
    except BaseException:
        caught = sys.exc_info()
    assert caught[0] is not None
    return tracebacks.formatted(caught, whole)


@pytest.mark.parametrize(
    "error", [ValueError(PROMPT), KeyError(PROMPT), RuntimeError(PROMPT), ExceptionGroup(PROMPT, [ValueError(PROMPT)])]
)
def test_a_message_that_may_quote_a_prompt_is_told_only_where_all_is(error: Exception) -> None:
    text = told(error)
    assert PROMPT not in text
    assert f"{type(error).__name__}: (its message may quote what a person sent: LOG_LEVEL=debug shows it)" in text
    assert PROMPT in told(error, whole=True)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left"),
        DatabaseAway("The database is not responding."),
        Failure("x", "No room."),
        TypeError("not a str"),
        SettingsError("DATABASE_URL: no such user"),
    ],
)
def test_a_message_about_the_code_or_the_system_is_told(error: Exception) -> None:
    assert told(error).splitlines()[-1].endswith(f"{type(error).__name__}: {error}")


def test_what_the_model_or_replicate_said_is_not_told() -> None:
    quoting = Failure("model_error", f"The model failed: {PROMPT}.", details=PROMPT)
    assert told(quoting).splitlines()[-1] == "tasks.errors.Failure: model_error"


def test_it_has_the_lines_of_the_code_and_of_the_errors_before() -> None:
    def fail() -> None:
        try:
            raise KeyError(PROMPT)
        except KeyError as error:
            raise OSError("no file") from error

    with pytest.raises(OSError, match="no file") as raised:
        fail()
    text = told(raised.value)
    assert PROMPT not in text
    first, _, then = text.partition("The above exception was the direct cause of the following exception:")
    assert "raise KeyError(PROMPT)" in first
    assert 'raise OSError("no file") from error' in then
    assert then.endswith("OSError: no file")


def test_an_error_that_met_another_is_told_with_it_and_one_that_hides_it_without() -> None:
    def fail(hide: bool) -> None:
        try:
            raise KeyError(PROMPT)
        except KeyError:
            if hide:
                raise OSError("no file") from None
            raise OSError("no file")  # noqa: B904

    for hide in (False, True):
        with pytest.raises(OSError, match="no file") as raised:
            fail(hide)
        assert ("During handling of the above exception" in told(raised.value)) != hide


def test_the_errors_of_a_group_are_told() -> None:
    text = told(ExceptionGroup("two", [OSError("no file"), ValueError(PROMPT)]))
    assert "OSError: no file" in text
    assert "ValueError: (its message" in text
    assert PROMPT not in text


def test_its_length_is_bounded() -> None:
    def fail(depth: int) -> None:
        if depth == 0:
            raise OSError("x" * 100_000)
        fail(depth - 1)

    with pytest.raises(OSError, match="x") as raised:
        fail(500)
    text = told(raised.value)
    assert len(text) < 11_000
    assert text.count("Traceback") == 1
    assert text.count("in fail") <= tracebacks.MAX_FRAMES
    assert "[...]" in text


def test_of_a_thousand_errors_the_last_ones_are_told() -> None:
    first = last = OSError("no file")
    for _ in range(1000):
        last.__cause__ = last = OSError("before")
    text = told(first)
    assert text.endswith("OSError: no file")
    assert text.count("OSError: before") < tracebacks.MAX_ERRORS


def test_an_error_that_is_its_own_cause_ends() -> None:
    error = OSError("no file")
    error.__cause__ = OSError("before")
    error.__cause__.__cause__ = error
    assert told(error).count("OSError: no file") == 1
