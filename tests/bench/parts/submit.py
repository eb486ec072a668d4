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
SHARE = Target(">=", 0.75, "reference")
PATIENCE = {POSTGRES: (Target("<", 60),), SQLITE: ()}


async def measure(effort: Effort) -> list[Figure]:
    """Measure requests per second and their p99, on each database."""
    return [figure for database in (POSTGRES, SQLITE) for figure in await _on(database, effort)]


async def _on(database: str, effort: Effort) -> list[Figure]:
    async with prepared(database) as ground:
        asked = [await sites.darkroom(ground), await sites.reference(ground), await sites.echo(ground)]
        requests = [post(f"{site.address}/generate", ORDER) for site in asked]
        guarded = await sites.darkroom(ground, database_url=await ground.new_database("guarded"))
        asked.append(guarded)
        requests.append(post(f"{guarded.address}/generate", ORDER, _with_a_budget(guarded)))
        own, reference, ceiling, held = await in_turns(asked, requests, 202, CONNECTIONS, effort)
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
        Figure(
            "submit", f"{what}, with a key and budgets", "requests/s", tuple(load.rate for load in held), database,
            tuple(load.rate for load in own), targets=(SHARE,),
            note="The reference of this figure is Darkroom itself without a key and budgets, in the same rounds.",
        ),
    ]  # fmt: skip


def _with_a_budget(site: sites.Site) -> dict[str, str]:
    """Add a person with a key, and budgets for both. Returns the headers of a request with the key."""
    sites.command(site, "people", "add", "bench")
    key = sites.command(site, "keys", "add", "bench", "load", "--scope", "submit", "--budget", "1000000/day")
    sites.command(site, "budgets", "set", "person:bench", "1000000/month")
    return {"Authorization": f"Bearer {key.strip()}"}
