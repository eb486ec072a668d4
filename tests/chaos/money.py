"""People and budgets in the storm: a key that the visitors use, and what Darkroom says that everything cost."""

import asyncio
import subprocess
import sys
from functools import partial

import httpx

from tasks.models.prices import PRICE_TTL_SECONDS
from tasks.settings import ROOT
from tests.chaos.patience import until
from tests.chaos.place import Site
from tests.chaos.visits import MODELS

KNOWN = 60.0  # seconds within which the prices must be read
WARM_UP = "warm up"
"""The prompt of the first job of each model: after it, its price is known."""


async def prepare(site: Site) -> dict[str, str]:
    """Let the prices be read, then add a person with a key, and budgets. Returns the headers of a request with it."""
    models = {model: parameters for _, model, parameters in MODELS}
    async with httpx.AsyncClient(base_url=site.addresses[0], timeout=30) as client, asyncio.timeout(KNOWN):
        for model, parameters in models.items():
            body = {"prompt": WARM_UP, "model": model, "parameters": parameters}
            (await client.post("/generate", json=body)).raise_for_status()
        for model, parameters in models.items():
            await until(partial(_is_priced, client, {"prompt": WARM_UP, "model": model, "parameters": parameters}))
    await asyncio.sleep(PRICE_TTL_SECONDS)  # then the other processes know them, too
    await command(site, "people add visitor")
    key = await command(site, "keys add visitor storm --scope submit --scope read --budget 1000000/day")
    await command(site, "budgets set all 1000000/total")
    return {"Authorization": f"Bearer {key.strip()}"}


async def _is_priced(client: httpx.AsyncClient, body: dict[str, object]) -> bool:
    answer = (await client.post("/estimate", json=body)).raise_for_status().json()
    return "replicate.com" not in answer.get("price", {"source": "replicate.com"})["source"]


async def command(site: Site, words: str) -> str:
    """Run a command of Darkroom. Returns what it prints."""
    program = [sys.executable, "-m", "webapp", *words.split()]
    run = partial(
        subprocess.run, program, env=site.webs[0].environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    return (await asyncio.to_thread(run)).stdout
