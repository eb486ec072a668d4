"""The users of Darkroom during the storm: programs that submit jobs, people who cancel some and retry others."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

import httpx

from tests.chaos.evidence import ENDED, Submission
from tests.chaos.patience import until
from tests.chaos.visits import Visit
from tests.chaos.world import World

PATIENCE = 15.0  # seconds to wait for a response


class Visitors:
    """All visitors of a round. webhook: what every third of their jobs has.

    submissions: every POST that may have arrived. surprises: unexpected responses, and how often each occurred.
    """

    def __init__(self, addresses: list[str], world: World, seed: int, headers: Mapping[str, str], webhook: str) -> None:
        self._clients = [
            httpx.AsyncClient(base_url=address, timeout=PATIENCE, headers=headers) for address in addresses
        ]
        self._world, self._seed, self._webhook = world, seed, webhook
        self.submissions: list[Submission] = []
        self.surprises: Counter[str] = Counter()

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def come(self, visits: list[Visit]) -> None:
        """Run all visits. Returns when each visitor is done. Only a visit that waits for a missing end may block."""
        async with asyncio.TaskGroup() as group:
            for visit in visits:
                group.create_task(self._come(visit))

    async def _come(self, visit: Visit) -> None:
        await asyncio.sleep(visit.at)
        submission = await self._submit(visit)
        if visit.fate.cancels:
            await until(partial(self._rules_are_met, submission), every=0.3)
            await self._world.script(visit.fate.afterwards)
            await self._cancel(submission, visit.number)
        elif visit.cancel_after is not None:
            await asyncio.sleep(visit.cancel_after)
            await self._cancel(submission, visit.number)
        if visit.retries:
            await self._retry(submission, visit.number)

    async def _submit(self, visit: Visit) -> Submission:
        """Post until a job is accepted: every other visitor repeats its request with its idempotency key.

        The others take another prompt each time, because a lost response may belong to a job.
        """
        key = f"{self._seed}-{visit.number:04}" if visit.number % 2 else ""
        body: dict[str, Any] = {"model": visit.model, "parameters": visit.parameters, "priority": visit.priority}
        if visit.fate.finish_within:
            body["finish_within"] = visit.fate.finish_within
        if visit.number % 3 == 0:
            body["webhook"] = self._webhook
        number, submission = 0, Submission("", visit.fate)
        while True:
            number += 1
            if not key or not submission.prompt:
                submission = Submission(f"a quiet harbour, {self._seed}-{visit.number:04}-{number:03}.", visit.fate)
                await self._world.script(visit.fate.rules_for(submission.prompt))
            answer = await self._ask(
                "POST", "/generate", visit.number + number, {**body, "prompt": submission.prompt}, visit.client, key
            )
            if not isinstance(answer, httpx.ConnectError) and not any(submission is sent for sent in self.submissions):
                self.submissions.append(submission)
            if isinstance(answer, httpx.Response) and answer.status_code in (200, 202):
                submission.job = UUID(answer.json()["job_id"])
                return submission
            await asyncio.sleep(0.3)

    def who_wait_for(self, jobs: list[UUID]) -> list[Submission]:
        """Return the submissions of these jobs, as far as their visitors know the ids."""
        return [submission for submission in self.submissions if submission.job in jobs]

    async def change_mind(self, submission: Submission) -> None:
        """Cancel a job, and when it has ended, request it again."""
        await self._cancel(submission, 0)
        await self._retry(submission, 0)

    async def _rules_are_met(self, submission: Submission) -> bool:
        return not await self._world.has_left(submission.prompt)

    async def _cancel(self, submission: Submission, number: int) -> None:
        submission.cancels.append(time.time())  # before it is sent, because its response may be lost
        await self._press("cancel", submission, number)
        submission.cancels.append(time.time())

    async def _retry(self, submission: Submission, number: int) -> None:
        """Wait for the end of a job, and request another attempt. The request is refused if the job completed."""
        await until(partial(self._ended, submission, number), every=1)
        if submission.seen != "completed":
            submission.retries.append(time.time())
        await self._press("retry", submission, number)

    async def _ended(self, submission: Submission, number: int) -> bool:
        answer = await self._ask("GET", f"/status/{submission.job}", number)
        if isinstance(answer, httpx.Response) and answer.is_success:
            submission.seen = str(answer.json()["status"])
        return submission.seen in ENDED

    async def served(self, key: str) -> httpx.Response:
        """Return a finished file as Darkroom serves it."""
        return await self._clients[0].get(f"/media/{key}")

    async def _press(self, button: str, submission: Submission, number: int) -> None:
        """Send the form repeatedly until it is answered."""
        for web in range(number, number + 40):
            answer = await self._ask("POST", f"/jobs/{submission.job}/{button}", web)
            if isinstance(answer, httpx.Response) and answer.status_code < 500:
                return
            await asyncio.sleep(0.3)

    async def _ask(
        self, method: str, path: str, web: int, body: object = None, client: str = "", key: str = ""
    ) -> httpx.Response | httpx.TransportError:
        given = {"X-Client": client, "Idempotency-Key": key}
        headers = {name: value for name, value in given.items() if value}
        request = self._clients[web % len(self._clients)].build_request(method, path, json=body, headers=headers)
        try:
            answer = await self._clients[web % len(self._clients)].send(request)
        except httpx.TransportError as error:
            return error
        sent_back = answer.status_code == 503 and "retry-after" in answer.headers
        too_late = answer.status_code == 409 and path.startswith("/jobs/")
        if answer.status_code >= 400 and not sent_back and not too_late:
            self.surprises[f"{method} /{path.split('/')[1]} was answered with {answer.status_code}: {answer.text}"] += 1
        return answer
