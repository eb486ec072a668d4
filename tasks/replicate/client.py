"""A client for the few calls of Replicate's HTTP API that we need."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from importlib import metadata
from time import monotonic
from typing import IO, Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from tasks.replicate.errors import (
    Forbidden,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unreached,
    refusal,
    slow_down,
    token_refused,
)
from tasks.replicate.rate_limit import RateLimit
from tasks.settings import settings

TIMEOUT = httpx.Timeout(30.0, connect=10.0, pool=30.0)
METADATA_TIMEOUT = 10.0  # seconds to wait for a model's parameters: a user waits for the page
MAX_CONNECTIONS = 40  # requests; the others wait here, because httpx scans all its waiting requests at each response
LIMITS = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=2.0)
"""Idle connections expire well before a server closes them: a POST on a closed one would have an unknown outcome."""
USER_AGENT = f"darkroom/{metadata.version('darkroom')}"
WEBHOOK_EVENTS = ("start", "logs", "completed")
MAX_PAGES = 10  # of 100 predictions each
PAUSE_SECONDS = 5.0  # after a 429 that does not say how long to wait
MAX_PAUSE_SECONDS = 60.0  # Replicate counts by the minute

ENDED = ("succeeded", "failed", "canceled", "aborted")
"""The final statuses. aborted: the deadline passed before the prediction started."""

UNSEEN = "unseen"
"""The status of a prediction when only its id is known."""

T = TypeVar("T")


class Prediction(msgspec.Struct):
    """A run of a model, as Replicate reports it. Absent fields and null mean the same.

    metrics: the resources that it used, by their names at Replicate. They say what it cost.
    """

    id: str
    status: str
    input: dict[str, Any] | None = None
    output: Any = None
    error: Any = None
    logs: str | None = None
    model: str | None = None
    version: str | None = None
    metrics: dict[str, Any] | None = None
    webhook: str | None = None
    completed_at: datetime | None = None
    data_removed: bool = False

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in ENDED

    @property
    def predict_time(self) -> float | None:
        """The seconds of compute without waiting, or None when they are not known yet."""
        seconds = (self.metrics or {}).get("predict_time")
        return float(seconds) if isinstance(seconds, int | float) else None


class Glimpse(msgspec.Struct):
    """The state of a prediction and nothing else, for reading many at once."""

    id: str
    status: str
    logs: str | None = None


Row = TypeVar("Row")


class Page(msgspec.Struct, Generic[Row]):
    """A page of a list. `next` is the address of the next page."""

    results: list[Row]
    next: str | None = None


class Version(msgspec.Struct):
    """A version of a model. Its OpenAPI document holds the input and output schemas."""

    id: str
    openapi_schema: dict[str, Any] = msgspec.field(default_factory=dict)


class WebhookSecret(msgspec.Struct):
    """The key that signs the webhooks of an account."""

    key: str


class Addresses(msgspec.Struct):
    """The address of a file that was uploaded to Replicate."""

    get: str


class RemoteFile(msgspec.Struct):
    """A file that was uploaded to Replicate as input. Replicate keeps it for a day."""

    id: str
    urls: Addresses


class RemoteModel(msgspec.Struct):
    """A model as Replicate describes it."""

    owner: str
    name: str
    description: str | None = None
    is_official: bool = False
    latest_version: Version | None = None


class Replicate:
    """A client of the API at settings.api_url. Create one for each event loop, and close it with `aclose`.

    rate_limit: the limit of creates. A token must be taken from it before each. token: one to try out, in place of
    REPLICATE_API_TOKEN.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = monotonic,
        token: str | None = None,
    ) -> None:
        self.rate_limit = RateLimit()
        sent = token or settings.replicate_api_token.get_secret_value() or "stand-in"
        self._client = httpx.AsyncClient(
            base_url=settings.token_url if token else settings.api_url,
            headers={"Authorization": f"Bearer {sent}", "User-Agent": USER_AGENT},
            timeout=TIMEOUT,
            limits=LIMITS,
            transport=transport,
        )
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self.responses: Counter[str] = Counter()
        self._clock = clock
        self._looks_from = 0.0  # from when on Replicate accepts requests other than for a new prediction

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def create(
        self,
        version: str,
        arguments: Mapping[str, Any],
        cancel_after: int,
        webhook: str | None = None,
        events: Sequence[str] = WEBHOOK_EVENTS,
        traceparent: str | None = None,
    ) -> Prediction:
        """Create a prediction. It costs money, and this call never sends the request twice.

        version: owner/name of an official model, or owner/name:version. cancel_after: seconds until Replicate gives up.
        webhook: the address where Replicate reports events, which are some of WEBHOOK_EVENTS. traceparent: names the
        span that asks for the prediction (W3C Trace Context).
        Raises Refused when certainly no prediction was created, OutcomeUnknown when one may have been created.
        """
        body: dict[str, Any] = {"version": version, "input": arguments}
        if webhook:
            body |= {"webhook": webhook, "webhook_events_filter": events}
        headers = {"Cancel-After": f"{cancel_after}s"} | ({"traceparent": traceparent} if traceparent else {})
        return await self._ask("POST", "/predictions", Prediction, creates=True, json=body, headers=headers)

    async def get(self, prediction_id: str) -> Prediction:
        """Return the current state of a prediction.

        Raises Refused or OutcomeUnknown, and NotFound when Replicate has forgotten the prediction.
        """
        return await self._ask("GET", f"/predictions/{prediction_id}", Prediction)

    async def cancel(self, prediction_id: str) -> None:
        """Request the end of a prediction; `get` returns the outcome. Raises Refused or OutcomeUnknown."""
        await self._ask("POST", f"/predictions/{prediction_id}/cancel", dict[str, Any])

    async def listed(self, after: datetime, before: datetime) -> list[Prediction]:
        """Return the predictions that were created from `after` on and before `before`, newest first.

        Reads up to MAX_PAGES pages. Raises Refused or OutcomeUnknown.
        """
        span = {"created_after": after.isoformat(), "created_before": before.isoformat()}
        address = str(httpx.URL(self._client.base_url.join("predictions"), params=span))
        return [prediction async for page in self._pages(address, Page[Prediction]) for prediction in page]

    def newest(self) -> AsyncGenerator[list[Glimpse], None]:
        """Yield up to MAX_PAGES pages of a hundred predictions, newest first. Raises Refused or OutcomeUnknown."""
        return self._pages("/predictions", Page[Glimpse])

    async def _pages(self, address: str, shape: type[Page[Row]]) -> AsyncGenerator[list[Row], None]:
        for _ in range(MAX_PAGES):
            page = await self._ask("GET", address, shape)
            yield page.results
            if page.next is None or urlsplit(page.next).netloc != self._client.base_url.netloc.decode():
                break  # the token is sent to no other host
            address = page.next

    async def upload(self, name: str, media_type: str, content: IO[bytes]) -> str:
        """Upload a file as input for a prediction, and return its address. Raises Refused or OutcomeUnknown."""
        file = await self._ask("POST", "/files", RemoteFile, files={"content": (name, content, media_type)})
        return file.urls.get

    async def account(self) -> None:
        """Send a request that costs nothing, to check that the token is accepted. Raises Refused or OutcomeUnknown."""
        try:
            await self._ask("GET", "/account", dict[str, Any], timeout=METADATA_TIMEOUT)
        except Forbidden as error:
            raise token_refused() from error

    async def webhook_secret(self) -> str:
        """Return the key that webhooks are signed with, as whsec_... Raises Refused or OutcomeUnknown."""
        return (await self._ask("GET", "/webhooks/default/secret", WebhookSecret, timeout=METADATA_TIMEOUT)).key

    async def model(self, name: str) -> RemoteModel:
        """Return a model (owner/name) with its latest version. Raises NotFound, Refused or OutcomeUnknown."""
        return await self._ask("GET", f"/models/{name}", RemoteModel, timeout=METADATA_TIMEOUT)

    async def version(self, name: str, version: str) -> Version:
        """Return one version of a model. Raises NotFound, Refused or OutcomeUnknown."""
        return await self._ask("GET", f"/models/{name}/versions/{version}", Version, timeout=METADATA_TIMEOUT)

    async def _ask(self, method: str, path: str, shape: type[T], creates: bool = False, **request: Any) -> T:
        """Send a request and decode the response.

        creates: whether it creates a prediction; creates have their own rate limit, see rate_limit.py.
        """
        if not creates and (wait := self._looks_from - self._clock()) > 0:
            raise slow_down(wait)
        try:
            response = await self._sent(method, path, **request)
        except httpx.PoolTimeout as error:
            raise Refused("provider_timeout", "API timeout while calling Replicate.", passing=True) from error
        except httpx.ConnectTimeout as error:
            raise Unreached("provider_timeout", "API timeout while calling Replicate.", passing=True) from error
        except httpx.ConnectError as error:
            raise Unreached("provider_unreachable", "Replicate could not be reached.", passing=True) from error
        except httpx.TimeoutException as error:
            raise OutcomeUnknown("provider_timeout", "API timeout while calling Replicate.", passing=True) from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(
                "provider_unreachable", "The connection to Replicate was lost.", passing=True
            ) from error
        if creates:
            await self._heed(response.headers)
        if not response.is_success:
            refused = refusal(response)
            if isinstance(refused, Throttled) and not creates:
                self._pause(refused)
            raise refused
        try:
            return msgspec.json.decode(response.content, type=shape)
        except msgspec.DecodeError as error:
            raise OutcomeUnknown("provider_error", "Replicate sent an unreadable response.", passing=True) from error

    async def _heed(self, headers: Mapping[str, str]) -> None:
        """Pass on how many more predictions we may create, when the headers say so."""
        try:
            await self.rate_limit.heed(int(headers["ratelimit-remaining"]), float(headers["ratelimit-reset"]))
        except (KeyError, ValueError):
            return

    def _pause(self, throttled: Throttled) -> None:
        wait = PAUSE_SECONDS if throttled.retry_after is None else throttled.retry_after
        self._looks_from = self._clock() + min(wait, MAX_PAUSE_SECONDS)

    async def _sent(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return httpx's response. Raises httpx.PoolTimeout when the request's turn does not come in time."""
        try:
            async with asyncio.timeout(request.get("timeout", TIMEOUT.pool)):
                await self._slots.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("too many requests at once") from error
        status = 0
        try:
            response = await self._client.request(method, path, **request)
            status = response.status_code
            return response
        finally:
            self.responses[str(status)] += 1
            self._slots.release()
