"""The limit on open files and connections of a process: as many as the system allows, not the initial number."""

import resource
from contextlib import suppress

# Used when there is no limit, or one so high that programs that loop over all descriptors take long.
DEFAULT_LIMIT = 2**20


def raise_limit() -> None:
    """Raise the limit of this process, and of the processes it starts, to the highest that it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DEFAULT_LIMIT if hard == resource.RLIM_INFINITY else min(hard, DEFAULT_LIMIT)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    for number in (wanted, 10_240):  # macOS reports no limit, and refuses values above this one
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
            return
