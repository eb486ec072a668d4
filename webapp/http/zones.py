"""The time zone of a browser, which js/days.js keeps in a cookie: in it the days of the gallery begin."""

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from litestar import Request

from tasks.settings import settings

ZONE = re.compile(r"(?:^|; ?)darkroom-zone=([A-Za-z0-9_+/-]{1,64})(?:;|$)")


def zone_of(request: Request[Any, Any, Any]) -> ZoneInfo:
    """Return the time zone of a browser, or TIMEZONE for one that has not told it, or whose zone is unknown here."""
    return zone_in(request.headers.get("Cookie", ""))


def zone_in(cookies: str) -> ZoneInfo:
    """Return the time zone that a Cookie header names, or TIMEZONE."""
    found = ZONE.search(cookies)
    try:
        return ZoneInfo(found[1]) if found else settings.zone
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return settings.zone
