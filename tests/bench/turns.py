"""Several servers under the same load, in turns, so that a temporary disturbance of the machine affects all of them."""

from collections.abc import Sequence

from tests.bench.effort import Effort
from tests.bench.load import Load, drive
from tests.bench.sites import Site

WARM_UP = 0.5  # of a round


async def in_turns(
    asked: Sequence[Site], requests: Sequence[bytes], status: int, connections: int, effort: Effort
) -> list[list[Load]]:
    """Return the loads of all rounds for each server.

    Each server gets its own request, and is warmed up before the first round.
    """
    loads: list[list[Load]] = [[] for _ in asked]
    for site, request in zip(asked, requests, strict=True):
        await drive(site.address, request, status, connections, effort.seconds * WARM_UP)
    for _ in range(effort.rounds):
        for site, request, own in zip(asked, requests, loads, strict=True):
            own.append(await drive(site.address, request, status, connections, effort.seconds))
    return loads
