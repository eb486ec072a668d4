"""The headers that tell programs what is left of their limits (draft-ietf-httpapi-ratelimit-headers-10)."""

from collections.abc import Sequence

from tasks.jobs.pace import Quota


def headers(quotas: Sequence[Quota]) -> dict[str, str]:
    """Return the headers of a response about these limits, none where there are none."""
    if not quotas:
        return {}
    return {
        "RateLimit-Policy": ", ".join(f'"{quota.name}";q={quota.limit}{_window("w", quota)}' for quota in quotas),
        "RateLimit": ", ".join(f'"{quota.name}";r={quota.left}{_window("t", quota)}' for quota in quotas),
    }


def _window(name: str, quota: Quota) -> str:
    return f";{name}={quota.seconds}" if quota.seconds is not None else ""
