"""JSON that others wrote: read within limits, so that nothing behind this door meets what it cannot bear."""

import msgspec

MAX_DEPTH = 32  # lists and objects within one another
MAX_VALUES = 10_000  # in all lists and objects together
MAX_COMMAS = 100_000  # also those in strings: with more between values, reading them would take too long
TOO_MANY = f"it has more than {MAX_VALUES:,} values"
LEAST, MOST = -(2**63), 2**63 - 1  # whole numbers, as databases hold them: for who keeps what was read


class Malformed(ValueError):
    """What was sent is no JSON, or more than is read. Its message is what is wrong with it: "it is ..."."""


def decode(text: str | bytes) -> object:
    """Return the value that a JSON text holds. Raises Malformed."""
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
    """Raise Malformed where a JSON value is nested too deeply, or holds too many values."""
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
    """Whether a database can store it: it has no NUL, and no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
