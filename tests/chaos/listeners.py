"""Receivers of webhooks in the storm: one that fails, hangs and is away, one that says it is gone, and one of jobs."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random
from uuid import UUID

import httpx

from tasks.outbox.events import OF_JOBS
from tests.chaos.evidence import Heard
from tests.chaos.money import command
from tests.chaos.patience import until
from tests.chaos.place import Site
from tests.chaos.records import UNREADABLE, Records
from tests.receivers import HANG, RESET, Receiver, receiving

MOODS = ("200",) * 12 + ("204", "400", "500", "503\r\nRetry-After: 2", "302\r\nLocation: /", RESET, RESET, HANG)
"""What the steady one answers: 12 of 20 times as it should."""
GONE = 410
BEFORE_GONE = 4  # events that the leaving one accepts
SETTLED = 90.0  # seconds within which everything must have arrived once the storm is over: claims, and tries that hang
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
PASSWORD = "a lighthouse in the storm"


class Listeners:
    """The receivers of a round: two endpoints of the visitor, and the `webhook` that some jobs have."""

    def __init__(self, steady: Receiver, leaving: Receiver, of_jobs: Receiver, chance: Random) -> None:
        self.steady, self.leaving, self.of_jobs, self._chance = steady, leaving, of_jobs, chance
        leaving.moods.extend(["200"] * BEFORE_GONE)
        leaving.mood = str(GONE)

    @property
    def names(self) -> dict[str, str]:
        """Their addresses -> their names."""
        return {self.steady.url: "steady", self.leaving.url: "leaving", self.of_jobs.url: "of jobs"}

    async def subscribe(self, site: Site) -> None:
        """Sign in as the visitor, add the endpoints, and get the secrets."""
        link = re.search(r"/welcome/[\w-]+", await command(site, "people link visitor"))
        assert link is not None
        async with httpx.AsyncClient(base_url=site.addresses[0], timeout=30) as client:
            signed_in = await client.post(link[0], data={"password": PASSWORD})
            client.cookies = signed_in.cookies
            for receiver in (self.steady, self.leaving):
                form = {"url": receiver.url, "types": list(OF_JOBS)}
                page = (await client.post("/webhooks", data=form)).raise_for_status().text
                [receiver.secret] = set(SECRET.findall(page))
            self.of_jobs.secret = (await client.get("/webhooks/secret")).raise_for_status().json()["key"]

    async def be_moody(self) -> None:
        """Fail, hang, and be away for a moment now and then, until canceled."""
        for receiver in (self.steady, self.of_jobs):
            receiver.moods.extend(self._chance.choices(MOODS, k=10_000))
        while True:
            await asyncio.sleep(self._chance.uniform(1.0, 3.0))
            await self.steady.close()
            await asyncio.sleep(self._chance.uniform(0.2, 1.0))
            await self.steady.open()

    async def calm(self, moody: asyncio.Task[None], records: Records) -> None:
        """Accept everything from now on, and let time pass until nothing is on its way, no longer than SETTLED."""
        moody.cancel()
        with suppress(asyncio.CancelledError):
            await moody
        for receiver in (self.steady, self.of_jobs):
            await receiver.close()  # what hangs is sent again
            receiver.moods.clear()
            await receiver.open()
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLED):
                await until(partial(_none_left, records), every=0.5)

    @property
    def heard(self) -> list[Heard]:
        """Everything that arrived, at each in its order."""
        return [
            Heard(
                self.names[receiver.url], arrival.id, arrival.type, UUID(arrival.job), arrival.mood.startswith("2"),
                arrival.signed,
            )
            for receiver in (self.steady, self.leaving, self.of_jobs)
            for arrival in receiver.arrivals
        ]  # fmt: skip


async def _none_left(records: Records) -> bool:
    """Return whether nothing is on its way any more, after each next try was made due."""
    try:
        await records.make_webhooks_due()
        return not await records.webhooks_left()
    except UNREADABLE:
        return False


@asynccontextmanager
async def listening(chance: Random) -> AsyncIterator[Listeners]:
    """Run the receivers while the block runs."""
    async with receiving() as steady, receiving() as leaving, receiving() as of_jobs:
        yield Listeners(steady, leaving, of_jobs, chance)
