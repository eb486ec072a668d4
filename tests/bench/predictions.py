"""How the stand-in makes predictions for a part: how long they take, and whether it has to draw each time."""

import httpx

from tasks.standin.faults import Rule
from tests.bench.ground import Ground
from tests.bench.orders import ORDER

MODEL = "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"


async def last(ground: Ground, seconds: float) -> None:
    """From now on predictions take exactly so long, and the stand-in draws each picture."""
    await ground.world.script([Rule(on="create", do="run", seconds=seconds, times=0)])


async def share_a_picture(ground: Ground) -> None:
    """From now on all predictions yield one picture that is drawn already: to draw is not what is measured."""
    async with httpx.AsyncClient(headers={"Authorization": "Bearer none"}) as client:
        order = {"version": MODEL, "input": {"prompt": ORDER["prompt"], "width": 64, "height": 64}}
        answer = await client.post(f"{ground.provider}/v1/predictions", json=order)
        [url] = answer.raise_for_status().json()["output"]
        (await client.get(url)).raise_for_status()
    await ground.world.script([Rule(on="create", do="output", output=[url], times=0)])
