"""Prefer: wait=N, by which a program asks to get its response only when the job has ended (RFC 7240, section 4.3)."""

import re

from litestar.types import Scope

MAX_WAIT = 60  # seconds
PREFER_VARIES = {"Vary": "Prefer"}
WAIT = re.compile(r"wait(?:\s*=\s*\"?([0-9]{1,5})\"?)?", re.IGNORECASE)


def seconds_of(scope: Scope) -> int:
    """Return how many seconds a request wants to wait, 0 for not at all. What is not valid is ignored (section 2)."""
    for name, value in scope["headers"]:
        if name == b"prefer":
            for preference in value.decode("latin-1").split(","):
                if found := WAIT.fullmatch(preference.partition(";")[0].strip()):
                    return min(MAX_WAIT, int(found[1] or MAX_WAIT))
    return 0


def applied(seconds: int) -> dict[str, str]:
    """Return the headers of a response to a request that was made to wait."""
    return {"Preference-Applied": f"wait={seconds}"}
