"""The part of a worker that sends events: those that are due, some at a time, few to one receiver."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import httpx

from tasks.background import alongside, end
from tasks.db.database import now
from tasks.db.dialect import FromNow, from_now
from tasks.db.webhook_tables import WebhookDelivery, WebhookEndpoint
from tasks.errors import DatabaseAway, Failure
from tasks.files.storage import Storage
from tasks.jobs import attempts
from tasks.messaging import events
from tasks.outbox.addresses import target_of
from tasks.tracing import endpoint
from tasks.webhooks import deliveries, predictions, sending, signing
from tasks.webhooks.sending import Answer, Outcome

log = logging.getLogger(__name__)

MAX_SENDING = 20  # that one process sends at a time
MAX_TO_ONE_TARGET = 5  # of these, so that a receiver that hangs leaves room for the others


class Sender:
    """Sends events. A process has one. storage: of the outputs that they tell. within: seconds for one try.

    outcomes: how many tries ended with each outcome since it was last emptied.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        storage: Storage,
        clock: FromNow = from_now,
        within: float = sending.TIMEOUT_SECONDS,
    ) -> None:
        self._transport, self._storage, self._clock, self._within = transport, storage, clock, within
        self._woken = asyncio.Event()
        self._claims: dict[asyncio.Task[None], UUID] = {}
        self._targets: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    async def keep_sending(self, every: Callable[[], float]) -> None:
        """Send what is due, forever. every: returns the seconds until it is looked for if nothing hints at it."""
        try:
            async with alongside(self._listen()):
                while True:
                    await self._look()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(every()):
                            await self._woken.wait()
        finally:
            claims = list(self._claims.values())
            await end(*self._claims)
            with suppress(DatabaseAway):  # then they end by themselves
                await deliveries.release(claims, self._clock)

    async def send_due(self) -> None:
        """Send what is due, to the end."""
        await self._look()
        while self._claims:
            await asyncio.wait(self._claims)
            await self._look()

    async def _listen(self) -> None:
        async for _ in events.listen(events.OUTBOX):
            self._woken.set()

    async def _look(self) -> None:
        self._woken.clear()
        try:
            if await deliveries.any_due(self._clock):
                while len(self._claims) < MAX_SENDING and await self._start():
                    pass
        except DatabaseAway as away:
            log.warning("could not look for webhooks to send: %s", away)
        except Exception:
            log.exception("could not look for webhooks to send; trying again")

    async def _start(self) -> bool:
        """Start to send one event. Returns whether there was one."""
        busy = [target for target, count in self._targets.items() if count >= MAX_TO_ONE_TARGET]
        delivery = await deliveries.claim(self._clock, busy)
        if delivery is None:
            return False
        self._targets[delivery.target] += 1
        task = asyncio.create_task(self._send(delivery))
        self._claims[task] = delivery.claim
        task.add_done_callback(lambda task: self._ended(task, delivery.target))
        return True

    def _ended(self, task: asyncio.Task[None], target: str) -> None:
        del self._claims[task]
        self._targets[target] -= 1
        self._targets += Counter()  # without those that are zero
        self._woken.set()

    async def _send(self, delivery: WebhookDelivery) -> None:
        name = deliveries.name_of(delivery.id)
        try:
            to = await self._address(delivery)
            body = delivery.body or await predictions.written(delivery, self._storage)
            if to is None or body is None:
                return await deliveries.drop(delivery)
            url, secrets = to
            headers = signing.signed(secrets, name, now(), body) | await _trace_of(delivery)
            answer = await sending.send(url, headers, body, self._transport, self._within)
            if answer.outcome != Outcome.SUCCESS:
                log.info("webhook %s (%s) to %s: %s", name, delivery.type, target_of(url), answer.outcome)
            self.outcomes[answer.outcome] += 1
            await deliveries.record(delivery, answer, self._clock)
        except Failure as failure:  # of storage: a try like others, as it may be away, or the file lost
            log.warning("webhook %s: %s", name, failure)
            self.outcomes[Outcome.UNREADABLE] += 1
            await deliveries.record(delivery, Answer(Outcome.UNREADABLE, 0), self._clock)
        except DatabaseAway as away:  # the claim ends, and it is sent again
            log.warning("webhook %s: %s", name, away)
        except Exception:
            log.exception("webhook %s: internal error", name)

    async def _address(self, delivery: WebhookDelivery) -> tuple[str, list[str]] | None:
        """Return the address and the secrets of a delivery, or None when its endpoint was removed."""
        if delivery.endpoint is None:
            return delivery.url, list(await signing.secrets_of_jobs(delivery.owner))
        endpoint = await WebhookEndpoint.objects().get(WebhookEndpoint.id == delivery.endpoint)
        return None if endpoint is None else (endpoint.url, await signing.secrets_of(endpoint.id))


async def _trace_of(delivery: WebhookDelivery) -> dict[str, str]:
    """Return the header that names the trace of a job's last attempt, where spans are recorded."""
    found = await attempts.last_traceparent(delivery.job) if endpoint.ON and delivery.job else None
    return {"traceparent": found} if found else {}
