"""Replicate's webhooks, coming in: verified, then passed on as hints to whoever waits for the prediction.

A signed webhook is believed, and yet does little: it saves a prediction's id where the answer that told it was lost,
and it wakes the worker, which asks Replicate's API how the prediction ended.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Annotated
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
from redis.exceptions import RedisError
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from tasks import attempts, events
from tasks.events import News
from tasks.failures import Failure
from tasks.progress import progress
from tasks.replicate import ENDED, Replicate
from tasks.settings import settings
from tasks.tables import Attempt

log = logging.getLogger(__name__)

REMEMBERED = 600  # seconds that a delivery is known for: its timestamp is good for five minutes in either direction
KEY_IS_GOOD = 60.0  # seconds until we ask again for the key when a signature does not fit: anybody can send one
NO_ANSWER = 5.0  # seconds until we ask again for the key when we got none; Replicate sends again for a minute
TOLERANCE = 300.0  # seconds between the timestamp of a message and our clock (Standard Webhooks)
MAX_SIGNATURES = 2000  # characters
TIMESTAMP = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
SIGNATURES = re.compile(r"(?=.*\bv1,[A-Za-z0-9+/]{43}=)v[0-9]+a?,[A-Za-z0-9+/=]+( v[0-9]+a?,[A-Za-z0-9+/=]+){0,15}")
"""Some, of which one at least is an HMAC with SHA-256 in base64."""


def address_of(attempt: Attempt) -> str | None:
    """Return the address at which Replicate tells how the prediction of an attempt goes, or None where it cannot."""
    return f"{settings.webhooks}?attempt={attempt.id}" if settings.webhooks else None


class Forged(Exception):
    """Nobody who has the key signed this, or it was signed more than five minutes ago."""


class Malformed(Exception):
    """Signed, and yet not what a webhook looks like, or sent to another address than it says. The text says why."""


class Delivery(msgspec.Struct):
    """What we read of a webhook's body: the prediction as the API tells it. webhook: where it was sent."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    status: str
    logs: str | None = None
    webhook: str | None = None


def may_be_signed(headers: Mapping[str, str]) -> None:
    """Raise Forged where the headers alone tell that nobody who has the key signed this just now."""
    timestamp = headers.get("webhook-timestamp", "")
    if not (headers.get("webhook-id") and TIMESTAMP.fullmatch(timestamp)):
        raise Forged
    if not SIGNATURES.fullmatch(headers.get("webhook-signature", "")[:MAX_SIGNATURES]):
        raise Forged
    if abs(time.time() - float(timestamp)) > TOLERANCE:
        raise Forged


class Signatures:
    """Says whether Replicate signed something.

    The key is the setting's, else the one that Replicate tells. That one is asked for when it is first needed, and
    again when a signature does not fit, as it may have been replaced; but not each time, or forgers would have us ask.
    """

    def __init__(self, replicate: Replicate, clock: Callable[[], float] = time.monotonic) -> None:
        self._replicate, self._clock = replicate, clock
        secret = settings.replicate_webhook_secret.get_secret_value()
        self._key = Webhook(secret) if secret else None
        self._known_until = inf if secret else -inf  # no question for the key before that
        self._answered = bool(secret)
        self._asking = asyncio.Lock()

    async def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises Forged; Failure where Replicate does not tell the key, so that nobody can know."""
        key = self._key or await self._newer_than(None)
        if _fits(key, body, headers):
            return
        newer = await self._newer_than(key)
        if newer is key or not _fits(newer, body, headers):
            raise Forged

    async def _newer_than(self, key: Webhook | None) -> Webhook:
        async with self._asking:
            if self._key is not None and self._key is not key:  # another delivery has asked meanwhile
                return self._key
            if self._clock() >= self._known_until:
                await self._ask()
            if self._key is None or not self._answered:
                raise Failure("webhook_key_unknown", "Replicate has to be asked for a key, and does not answer.", True)
            return self._key

    async def _ask(self) -> None:
        try:
            self._key, self._answered = Webhook(await self._replicate.webhook_secret()), True
        except (Failure, EmptyWebhookSecretError, ValueError) as error:
            self._answered = False
            log.warning("Replicate does not tell the key of its webhooks: %s", error)
        self._known_until = self._clock() + (KEY_IS_GOOD if self._answered else NO_ANSWER)


def _fits(key: Webhook, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        key.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:  # ValueError: no UTF-8, no base64, no "v1,..."
        log.info("A webhook's signature does not fit: %s", error)
        return False
    return True


async def take(message: str, body: bytes, attempt: str) -> None:
    """Pass on what a verified webhook tells. message: its id. attempt: named by the address that it came to.

    What is not of a prediction that somebody waits for changes nothing. Raises Malformed; DatabaseAway, and then the
    message does not count as seen.
    """
    if await _seen(message):
        return
    delivery = _read(body)
    attempt_id = _attempt(delivery, attempt)
    job = await attempts.claim_prediction(attempt_id, delivery.id) if attempt_id else None
    if job is not None:
        events.tell(News(job, delivery.status, None if delivery.status in ENDED else progress(delivery.logs)))
    events.post("SET", _name(message), "1", "EX", str(REMEMBERED))


def _read(body: bytes) -> Delivery:
    try:
        return msgspec.json.decode(body, type=Delivery)
    except msgspec.DecodeError as error:
        raise Malformed(f"The body is no prediction: {error}.") from error
    except RecursionError:
        raise Malformed("The body is no prediction: it is nested too deeply.") from None


def _attempt(delivery: Delivery, named: str) -> UUID | None:
    """The attempt that the signed body names, which has to be the one in the address; without one there, that one."""
    try:
        signed = parse_qs(urlsplit(delivery.webhook).query).get("attempt", [""])[0] if delivery.webhook else named
    except ValueError as error:
        raise Malformed("What it says it was sent to is no address.") from error
    if signed != named:
        raise Malformed("It was sent to another address.")
    try:
        return UUID(signed)
    except ValueError:
        return None


async def _seen(message: str) -> bool:
    try:
        return bool(await events.redis().exists(_name(message)))
    except (RedisError, OSError) as error:
        log.debug("not known whether it was seen before: %s", error)
        return False


def _name(message: str) -> str:
    return f"darkroom:webhook:{message}"
