"""When Replicate does not do as it is asked: its errors, told apart by what they mean for us."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tasks.failures import Failure


@dataclass
class Refused(Failure):
    """Replicate certainly did not do what was asked."""

    free: bool = True


class Unreached(Refused):
    """Nothing was sent: there was no connection to Replicate."""


class NotFound(Refused):
    """Replicate does not know it (any more)."""


class AccountRefused(Refused):
    """Replicate takes nothing from this account at the moment: the token is wrong, or there is no credit."""


class Forbidden(Refused):
    """This account may not do this: a model that it has no permission for, or a gateway that minds the prompt."""


class Throttled(Refused):
    """Replicate asked us to slow down. per_minute, burst: what it allows now, where its words say it."""

    per_minute: float | None = None
    burst: int | None = None


class InvalidInput(Refused):
    """Replicate refused the input, or the version is gone."""


class OutcomeUnknown(Failure):
    """No answer came, or none that says what was done: Replicate may have done what was asked, or not."""


class OutcomeDoubtful(OutcomeUnknown):
    """Replicate's own application had an error: most likely, but not for certain, it did not do what was asked."""


def refusal(response: httpx.Response) -> Failure:
    """Return what an error answer means (Replicate's OpenAPI document, its docs on rate limits, recorded bodies).

    Refused only for the statuses that are documented to mean so.
    """
    body = _problem(response)
    detail = str(body.get("detail") or "").strip()
    match response.status_code:
        case 401:
            return token_refused()
        case 403:
            return Forbidden(
                "forbidden", "Replicate refused this: the account has no permission for the model or the prompt."
            )
        case 402:
            return AccountRefused(
                "provider_billing", "The Replicate account has no credit. The operator has to add some."
            )
        case 404:
            return NotFound("not_found", "Replicate does not know it.")
        case 413:
            return Refused("input_too_large", "A file that was given as input is larger than Replicate takes.")
        case 422:
            return InvalidInput(
                "invalid_input", f"Replicate refused the input: {detail.removeprefix('- ') or 'it did not say why'}"
            )
        case 429:
            return _throttled(detail, _retry_after(response, body))
        case status if status >= 500:
            kind = OutcomeDoubtful if status in (500, 503) and detail else OutcomeUnknown
            return kind("provider_error", "Replicate had an internal error.", True, _retry_after(response, body))
        case status:
            told = f"Replicate answered with an unexpected status ({status})."
            return OutcomeUnknown("provider_error", told, True, _retry_after(response, body))


def token_refused() -> AccountRefused:
    """Return the failure of a token that Replicate does not take."""
    return AccountRefused(
        "provider_auth", "Replicate refused the API token. The operator has to check REPLICATE_API_TOKEN."
    )


def slow_down(retry_after: float | None) -> Throttled:
    """Return the failure of a request that Replicate does not want for so many seconds."""
    return Throttled("rate_limited", "Replicate asked us to slow down.", passing=True, retry_after=retry_after)


def _throttled(detail: str, retry_after: float | None) -> Throttled:
    throttled = slow_down(retry_after)
    if match := re.search(r"(\d+) requests? per minute(?: with a burst of (\d+))?", detail):
        throttled.per_minute = float(match[1])
        throttled.burst = int(match[2]) if match[2] else None
    return throttled


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:  # an error page of the gateway
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(response: httpx.Response, body: Mapping[str, Any]) -> float | None:
    """Seconds to wait, from the body, where Replicate puts them, or from the header."""
    for value in (body.get("retry_after"), response.headers.get("Retry-After")):
        try:
            return max(0.0, float(str(value)))
        except ValueError:  # absent, or a date
            continue
    return None
