"""The measured systems, each as new processes on the same servers: Darkroom, the reference, the echo."""

import subprocess
import sys
from dataclasses import dataclass, field

from tasks.settings import ROOT
from tests import servers
from tests.bench.ground import SQLITE, UNLIMITED, Ground, ready
from tests.processes import Process, environment

SERVER = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")


@dataclass(frozen=True)
class Site:
    """A running system. address: of its (first) web process. webs, workers: its processes."""

    address: str
    webs: list[Process] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)
    database_url: str = ""
    settings: dict[str, str] = field(default_factory=dict)


async def darkroom(
    ground: Ground, workers: int = 0, webhooks: bool = False, database_url: str = "", **settings: str
) -> Site:
    """Start a Darkroom with one web process.

    webhooks: whether the stand-in reports the progress of predictions; otherwise Darkroom polls. database_url: empty
    for a new database.
    """
    port, database = servers.free_port(), database_url or await ground.new_database("darkroom")
    address = f"http://127.0.0.1:{port}"
    limits = ("CREATES_PER_MINUTE", "MAX_WAITING", "MAX_WAITING_PER_CLIENT", "SUBMISSIONS_PER_MINUTE")
    unlimited = dict.fromkeys(limits, str(UNLIMITED))
    given = {**unlimited, "PUBLIC_URL": address if webhooks else "", **settings}
    (ground.folder / "data").mkdir(exist_ok=True)
    common = environment(ground.folder, database, ground.redis, ground.provider, PORT=str(port), **given)
    site = Site(
        address,
        [ground.darkroom("web", common)],
        [ground.darkroom(f"worker-{number + 1}", common) for number in range(workers)],
        database,
        common,
    )
    await ready(f"{address}/{'readyz' if workers else 'healthz'}")
    return site


def command(site: Site, *words: str) -> str:
    """Run a command of a Darkroom, such as `people add anna`. Returns what it prints."""
    words = (sys.executable, "-m", "webapp", *words)
    return subprocess.run(words, env=site.settings, cwd=ROOT, check=True, capture_output=True, text=True).stdout


async def reference(ground: Ground, workers: bool = False) -> Site:
    """Start the reference with one web process, and with its worker processes when `workers` is set."""
    port, database = servers.free_port(), await ground.new_database("reference")
    media = ground.folder / "reference-media"
    media.mkdir(exist_ok=True)
    settings = {
        "DATABASE_URL": database if ground.database == SQLITE else database.replace("postgres:", "postgresql+psycopg:"),
        "BROKER_URL": ground.redis.replace("unix:", "redis+socket:"),
        "REPLICATE_API_URL": f"{ground.provider}/v1",
        "MEDIA": str(media),
    }
    app = ("tests.bench.reference.app:app", "--port", str(port), *SERVER)
    web = ground.program("reference-web", "uvicorn", *app, **settings)
    site = Site(f"http://127.0.0.1:{port}", [web], database_url=database)
    await ready(f"{site.address}/healthz")
    if workers:
        words = ("-A", "tests.bench.reference.work", "worker", "--loglevel", "warning")
        site.workers.append(ground.program("reference-worker", "celery", *words, **settings))
    return site


async def echo(ground: Ground) -> Site:
    """Start the echo, which is Litestar alone."""
    port = servers.free_port()
    site = Site(
        f"http://127.0.0.1:{port}",
        [ground.program("echo", "uvicorn", "tests.bench.echo:app", "--port", str(port), *SERVER)],
    )
    await ready(f"{site.address}/healthz")
    return site
