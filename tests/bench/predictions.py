"""How the stand-in makes predictions for a part: how long they take, and whether it draws a picture each time."""

import httpx

from tasks.standin.faults import Rule
from tests.bench.ground import UNLIMITED, Ground
from tests.bench.orders import ORDER

MODEL = "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"


async def last(ground: Ground, seconds: float) -> None:
    """Make predictions take exactly `seconds` from now on. The stand-in draws each picture."""
    await ground.world.script([Rule(on="create", do="run", seconds=seconds, times=0)])


async def keep_pace(ground: Ground, pace: float) -> None:
    """Make predictions take `pace` times a realistic duration, which is 1.2 to 2.5 seconds, from now on."""
    await ground.world.prepare(pace, UNLIMITED, UNLIMITED)


async def share_a_picture(ground: Ground, running: float = 0.0) -> None:
    """Make all predictions yield one picture that is already drawn, because drawing is not to be measured.

    running: seconds that each runs, if not 0. Call this before `keep_pace`, while the picture is ready immediately.
    """
    async with httpx.AsyncClient(headers={"Authorization": "Bearer none"}) as client:
        order = {"version": MODEL, "input": {"prompt": ORDER["prompt"], "width": 64, "height": 64}}
        answer = await client.post(f"{ground.provider}/v1/predictions", json=order)
        [url] = answer.raise_for_status().json()["output"]
        (await client.get(url)).raise_for_status()
    await ground.world.script([Rule(on="create", do="output", output=[url], running=running, times=0)])
