"""Tracebacks as the log has them: of bounded length, and without what a person sent."""

from collections.abc import Iterator
from sqlite3 import OperationalError
from traceback import format_tb
from types import TracebackType

from tasks.errors import DatabaseAway, Failure
from tasks.settings import SettingsError

MAX_FRAMES = 30  # the innermost frames of an error
MAX_ERRORS = 20  # that led to it
MAX_LENGTH = 10_000  # characters
ABOUT_US = (
    OSError, DatabaseAway, SettingsError, Failure, OperationalError,
    AttributeError, ImportError, NameError, TypeError,
)  # fmt: skip
"""The errors whose messages are about the system or the code. Those of all others may quote a prompt or a parameter."""
LEFT_OUT = "(its message may quote what a person sent: LOG_LEVEL=debug shows it)"
CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
MET = "\nDuring handling of the above exception, another exception occurred:\n\n"

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def formatted(exc_info: ExcInfo, whole: bool) -> str:
    """Return the traceback of an error and of those that led to it, without its middle if it is long.

    whole: whether it has the messages of all errors, not only of those ABOUT_US.
    """
    text = "".join(_parts(exc_info[1], whole, set())).rstrip("\n")
    half = MAX_LENGTH // 2
    return text if len(text) <= MAX_LENGTH else f"{text[:half]}\n[...]\n{text[-half:]}"


def _parts(error: BaseException, whole: bool, seen: set[int]) -> Iterator[str]:
    """Yield the parts of a traceback as Python prints it, each message on one line."""
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen and len(seen) < MAX_ERRORS:
        yield from _parts(before, whole, seen)
        yield CAUSED if error.__cause__ else MET
    yield "Traceback (most recent call last):\n"
    yield from format_tb(error.__traceback__, -MAX_FRAMES)
    message = str(error).replace("\n", "\\n") if whole or isinstance(error, ABOUT_US) else LEFT_OUT
    kind = type(error)
    yield f"{'' if kind.__module__ == 'builtins' else f'{kind.__module__}.'}{kind.__qualname__}: {message}\n"
    for each in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        if id(each) not in seen:
            yield f"\nOne of the errors of this {kind.__qualname__}:\n\n"
            yield from _parts(each, whole, seen)
