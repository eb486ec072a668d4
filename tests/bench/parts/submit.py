"""submit: POST /generate, durable once it is answered. No worker runs: the part measures how fast work is accepted."""

from tests.bench import sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import POSTGRES, SQLITE, prepared
from tests.bench.load import post
from tests.bench.orders import ORDER
from tests.bench.turns import in_turns

CONNECTIONS = 16

AGAINST = {
    POSTGRES: (Target(">=", 8, "reference"), Target(">=", 0.2, "ceiling")),
    SQLITE: (Target(">=", 8, "reference"),),
}
PATIENCE = {POSTGRES: (Target("<", 60),), SQLITE: ()}


async def measure(effort: Effort) -> list[Figure]:
    """Measure requests per second and their p99, on each database."""
    return [figure for database in (POSTGRES, SQLITE) for figure in await _on(database, effort)]


async def _on(database: str, effort: Effort) -> list[Figure]:
    async with prepared(database) as ground:
        asked = [await sites.darkroom(ground), await sites.reference(ground), await sites.echo(ground)]
        requests = [post(f"{site.address}/generate", ORDER) for site in asked]
        own, reference, ceiling = await in_turns(asked, requests, 202, CONNECTIONS, effort)
    what = f"POST /generate, {CONNECTIONS} connections"
    return [
        Figure(
            "submit", what, "requests/s", tuple(load.rate for load in own), database,
            tuple(load.rate for load in reference), tuple(load.rate for load in ceiling), AGAINST[database],
        ),
        Figure(
            "submit", f"{what}, p99", "ms", tuple(load.milliseconds(0.99) for load in own), database,
            tuple(load.milliseconds(0.99) for load in reference), targets=PATIENCE[database],
        ),
    ]  # fmt: skip
