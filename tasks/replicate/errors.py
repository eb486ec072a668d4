"""The errors of Replicate's API, classified by what they mean for us."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tasks.errors import Failure


@dataclass
class Refused(Failure):
    """The failure of a request that Replicate certainly did not carry out."""

    free: bool = True


class Unreached(Refused):
    """The failure of a request that was not sent, because there was no connection to Replicate."""


class NotFound(Refused):
    """The failure of a request for something that Replicate does not know, or no longer knows."""


class AccountRefused(Refused):
    """A refusal of every request of this account for now: the token is wrong, or there is no credit."""


class Forbidden(Refused):
    """A refusal of one request: the account has no permission for the model, or a gateway objects to the prompt."""


class Throttled(Refused):
    """Replicate's demand to slow down. per_minute, burst: what Replicate allows now, when its message says so."""

    per_minute: float | None = None
    burst: int | None = None


class InvalidInput(Refused):
    """A refusal of the input, or of a version that is gone."""


class OutcomeUnknown(Failure):
    """The failure of a request that Replicate may have carried out: no answer came, or none that says what was done."""


class OutcomeDoubtful(OutcomeUnknown):
    """An error in Replicate's own application: most likely, but not certainly, the request was not carried out."""


def refusal(response: httpx.Response) -> Failure:
    """Return the failure that an error response means.

    Sources: Replicate's OpenAPI document, its docs on rate limits, and recorded bodies. Returns Refused only for
    statuses whose documentation says that the request was refused.
    """
    body = _problem(response)
    detail = str(body.get("detail") or "").strip()
    match response.status_code:
        case 401:
            return token_refused()
        case 403:
            return Forbidden(
                "forbidden", "Replicate refused the request: the account has no permission for the model or the prompt."
            )
        case 402:
            return AccountRefused(
                "provider_billing", "The Replicate account has no credit. The operator must add some."
            )
        case 404:
            return NotFound("not_found", "Not found at Replicate.")
        case 413:
            return Refused("input_too_large", "An input file is larger than Replicate allows.")
        case 422:
            return InvalidInput(
                "invalid_input", f"Replicate rejected the input: {detail.removeprefix('- ') or 'it gave no reason'}"
            )
        case 429:
            return _throttled(detail, _retry_after(response, body))
        case status if status >= 500:
            kind = OutcomeDoubtful if status in (500, 503) and detail else OutcomeUnknown
            return kind("provider_error", "Replicate had an internal error.", True, _retry_after(response, body))
        case status:
            message = f"Replicate returned an unexpected status ({status})."
            return OutcomeUnknown("provider_error", message, True, _retry_after(response, body))


def token_refused() -> AccountRefused:
    """Return the failure of a token that Replicate does not accept."""
    return AccountRefused(
        "provider_auth", "Replicate rejected the API token. The operator must check REPLICATE_API_TOKEN."
    )


def slow_down(retry_after: float | None) -> Throttled:
    """Return the failure of a request that Replicate does not accept for `retry_after` seconds."""
    return Throttled("rate_limited", "Replicate asked Darkroom to slow down.", passing=True, retry_after=retry_after)


def _throttled(detail: str, retry_after: float | None) -> Throttled:
    throttled = slow_down(retry_after)
    if match := re.search(r"(\d+) requests? per minute(?: with a burst of (\d+))?", detail):
        throttled.per_minute = float(match[1])
        throttled.burst = int(match[2]) if match[2] else None
    return throttled


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:  # an error page from the gateway
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(response: httpx.Response, body: Mapping[str, Any]) -> float | None:
    """Return the seconds to wait: from the body, where Replicate puts them, or from the header."""
    for value in (body.get("retry_after"), response.headers.get("Retry-After")):
        try:
            return max(0.0, float(str(value)))
        except ValueError:  # absent, or a date
            continue
    return None
