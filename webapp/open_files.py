"""How many files and connections a process may have open: as many as the system allows, not what it begins with."""

import resource
from contextlib import suppress

ENOUGH = 2**20  # where there is no limit, or one so high that programs which walk through all numbers take long


def raise_limit() -> None:
    """Raise this process's limit, and so that of those it starts, to the highest that it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    for number in (wanted, 10_240):  # macOS says that there is no limit, and refuses what is above this one
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
            return
