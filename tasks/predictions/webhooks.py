"""Receives Replicate's webhooks: verifies them, then passes them as hints to the worker that waits for the prediction.

A verified webhook is trusted but does little. It saves a prediction's id when the answer that contained it was lost,
and it wakes the worker, which asks Replicate's API how the prediction ended.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Annotated
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
from redis.exceptions import RedisError
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from tasks.db.tables import Attempt
from tasks.errors import Failure
from tasks.jobs import attempts
from tasks.messaging import events
from tasks.messaging.events import News
from tasks.predictions.progress import progress
from tasks.replicate.client import ENDED, WEBHOOK_EVENTS, Replicate
from tasks.settings import settings

log = logging.getLogger(__name__)

# Seconds that a delivery is remembered: its timestamp is valid for five minutes in either direction.
DELIVERY_TTL_SECONDS = 600
# Seconds until we request the key again when a signature does not match: anyone can send one.
KEY_REFRESH_SECONDS = 60.0
KEY_RETRY_SECONDS = 5.0  # seconds until we request the key again when we got none; Replicate retries for a minute
MAX_WITH_LOGS = 100  # predictions of a process whose logs are reported while they run
TIMESTAMP_TOLERANCE = 300.0  # seconds between a message's timestamp and our clock (Standard Webhooks)
MAX_SIGNATURES = 2000  # characters
TIMESTAMP = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
SIGNATURES = re.compile(r"(?=.*\bv1,[A-Za-z0-9+/]{43}=)v[0-9]+a?,[A-Za-z0-9+/=]+( v[0-9]+a?,[A-Za-z0-9+/=]+){0,15}")
"""Up to 16 signatures, at least one of them an HMAC with SHA-256 in base64."""


def events_for(beside: int) -> Sequence[str]:
    """Return the events that Replicate is to report of a prediction. beside: how many run beside it in this process.

    Of many predictions only start and end: Replicate reports the logs of each twice a second.
    """
    return [event for event in WEBHOOK_EVENTS if event != "logs" or beside < MAX_WITH_LOGS]


def address_of(attempt: Attempt) -> str | None:
    """Return the address for Replicate's webhooks on an attempt's prediction, or None when it cannot send any."""
    return f"{settings.webhooks}?attempt={attempt.id}" if settings.webhooks else None


class Forged(Exception):
    """A message that was not signed with the key, or was signed more than five minutes ago."""


class Malformed(Exception):
    """A signed message that is not a valid webhook, or was sent to an address it does not name. The text says why."""


class Delivery(msgspec.Struct):
    """The part of a webhook's body that we read: the prediction as in the API. webhook: the address it was sent to."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    status: str
    logs: str | None = None
    webhook: str | None = None


def may_be_signed(headers: Mapping[str, str]) -> None:
    """Raise Forged when the headers alone show that the message was not recently signed with the key."""
    timestamp = headers.get("webhook-timestamp", "")
    if not (headers.get("webhook-id") and TIMESTAMP.fullmatch(timestamp)):
        raise Forged
    if not SIGNATURES.fullmatch(headers.get("webhook-signature", "")[:MAX_SIGNATURES]):
        raise Forged
    if abs(time.time() - float(timestamp)) > TIMESTAMP_TOLERANCE:
        raise Forged


class Signatures:
    """The verifier of Replicate's signatures.

    The key is the setting's, else the one from Replicate. The latter is requested when it is first needed, and again
    when a signature does not match, as the key may have been replaced. It is not requested each time, or forgers could
    trigger requests.
    """

    def __init__(self, replicate: Replicate, clock: Callable[[], float] = time.monotonic) -> None:
        self._replicate, self._clock = replicate, clock
        secret = settings.replicate_webhook_secret.get_secret_value()
        self._key = Webhook(secret) if secret else None
        self._known_until = inf if secret else -inf  # no request for the key before this time
        self._answered = bool(secret)
        self._asking = asyncio.Lock()

    async def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raise Forged when Replicate did not sign the body, and Failure when it does not send the key to check it."""
        key = self._key or await self._newer_than(None)
        if _fits(key, body, headers):
            return
        newer = await self._newer_than(key)
        if newer is key or not _fits(newer, body, headers):
            raise Forged

    async def _newer_than(self, key: Webhook | None) -> Webhook:
        async with self._asking:
            if self._key is not None and self._key is not key:  # another delivery has requested it meanwhile
                return self._key
            if self._clock() >= self._known_until:
                await self._ask()
            if self._key is None or not self._answered:
                raise Failure("webhook_key_unknown", "Replicate did not send the key for its webhooks.", True)
            return self._key

    async def _ask(self) -> None:
        try:
            self._key, self._answered = Webhook(await self._replicate.webhook_secret()), True
        except (Failure, EmptyWebhookSecretError, ValueError) as error:
            self._answered = False
            log.warning("could not get the key for webhooks from Replicate: %s", error)
        self._known_until = self._clock() + (KEY_REFRESH_SECONDS if self._answered else KEY_RETRY_SECONDS)


def _fits(key: Webhook, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        key.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:  # ValueError: not UTF-8, not base64, or no "v1,..."
        log.info("A webhook's signature does not match: %s", error)
        return False
    return True


async def take(message: str, body: bytes, attempt: str) -> None:
    """Pass on a verified webhook. message: its id. attempt: as named by the address that it was sent to.

    A webhook on a prediction that no worker waits for changes nothing. Raises Malformed. Raises DatabaseAway, and then
    the message does not count as seen.
    """
    if await _seen(message):
        return
    delivery = _read(body)
    attempt_id = _attempt(delivery, attempt)
    job = await attempts.claim_prediction(attempt_id, delivery.id) if attempt_id else None
    if job is not None:
        events.tell(News(job, delivery.status, None if delivery.status in ENDED else progress(delivery.logs)))
    events.post("SET", _name(message), "1", "EX", str(DELIVERY_TTL_SECONDS))


def _read(body: bytes) -> Delivery:
    try:
        return msgspec.json.decode(body, type=Delivery)
    except msgspec.DecodeError as error:
        raise Malformed(f"The body is not a prediction: {error}.") from error
    except RecursionError:
        raise Malformed("The body is not a prediction: it is nested too deeply.") from None


def _attempt(delivery: Delivery, named: str) -> UUID | None:
    """Return the attempt that the signed body names, or the address's when the body contains no address.

    Raises Malformed when the body names another attempt than the address.
    """
    try:
        signed = parse_qs(urlsplit(delivery.webhook).query).get("attempt", [""])[0] if delivery.webhook else named
    except ValueError as error:
        raise Malformed("The webhook address in the body is invalid.") from error
    if signed != named:
        raise Malformed("The body names a different webhook address.")
    try:
        return UUID(signed)
    except ValueError:
        return None


async def _seen(message: str) -> bool:
    try:
        return bool(await events.redis().exists(_name(message)))
    except (RedisError, OSError) as error:
        log.debug("cannot tell whether it was seen before: %s", error)
        return False


def _name(message: str) -> str:
    return f"darkroom:webhook:{message}"
