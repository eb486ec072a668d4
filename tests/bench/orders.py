"""Jobs, as a program asks for them: the smallest pictures that there are."""

import asyncio

import httpx

from tests.chaos.patience import until

ORDER = {"prompt": "A futuristic city at sunset", "parameters": {"width": 64, "height": 64}}
PATIENCE = 120.0  # seconds for a job that is in nobody's way


async def place(address: str, count: int = 1) -> list[str]:
    """Ask for so many jobs, one after the other. Answers their ids."""
    async with httpx.AsyncClient(base_url=address) as client:
        answers = [(await client.post("/generate", json=ORDER)).raise_for_status().json() for _ in range(count)]
    return [str(answer["job_id"]) for answer in answers]


async def completed(address: str) -> str:
    """Ask for a job and wait for it. Answers its id. Raises TimeoutError."""
    [job] = await place(address)
    async with httpx.AsyncClient(base_url=address) as client, asyncio.timeout(PATIENCE):

        async def ended() -> bool:
            return bool((await client.get(f"/status/{job}")).json()["status"] == "completed")

        await until(ended, every=0.1)
    return job
