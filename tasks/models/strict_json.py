"""Parses untrusted JSON within limits, so that the code that uses it meets nothing that it cannot handle."""

import msgspec

MAX_DEPTH = 32  # nested lists and objects
MAX_VALUES = 10_000  # in all lists and objects together
MAX_COMMAS = 100_000  # including those in strings: with more between values, parsing would take too long
TOO_MANY = f"it has more than {MAX_VALUES:,} values"
LEAST, MOST = -(2**63), 2**63 - 1  # the integers that databases can hold, for callers that store parsed values


class Malformed(ValueError):
    """The error of a text that is not JSON, or exceeds the limits. Its message says what is wrong: "it is ..."."""


def decode(text: str | bytes) -> object:
    """Parse a JSON text and return its value. Raises Malformed."""
    commas = text.count(b",") if isinstance(text, bytes) else text.count(",")
    if commas > MAX_COMMAS:
        raise Malformed(TOO_MANY)
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Malformed(str(error)) from error
    except RecursionError:
        raise Malformed("it is nested too deeply") from None
    check(value)
    return value


def check(value: object) -> None:
    """Raise Malformed when a JSON value is nested too deeply or has too many values."""
    level, count = [value], 1
    for _ in range(MAX_DEPTH + 1):
        if count > MAX_VALUES:
            raise Malformed(TOO_MANY)
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return
        level, count = below, count + len(below)
    raise Malformed(f"it is nested more than {MAX_DEPTH} levels deep")


def is_text(text: str) -> bool:
    """Return whether a database can store the text: it has no NUL and no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
