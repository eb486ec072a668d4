"""The headers that tell programs what is left of their limits (draft-ietf-httpapi-ratelimit-headers-10)."""

from collections.abc import Sequence
from typing import Any

from litestar import Request

from tasks.jobs.pace import Quota, quotas
from webapp.http.authentication import actor_of
from webapp.http.clients import client_of


async def told(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the headers of a response to a request that submits jobs. There are none for who has no key."""
    return _headers(await quotas(actor_of(request).key, client_of(request)))


def _headers(limits: Sequence[Quota]) -> dict[str, str]:
    """Return the headers that tell of these limits."""
    if not limits:
        return {}
    return {
        "RateLimit-Policy": ", ".join(f'"{quota.name}";q={quota.limit}{_window("w", quota)}' for quota in limits),
        "RateLimit": ", ".join(f'"{quota.name}";r={quota.left}{_window("t", quota)}' for quota in limits),
    }


def _window(name: str, quota: Quota) -> str:
    return f";{name}={quota.seconds}" if quota.seconds is not None else ""
