"""Conditional requests: ETags, and 304 for a browser that already has the content (RFC 9110, section 13)."""

from hashlib import sha256
from typing import Any

from litestar import Request, Response


def matches(request: Request[Any, Any, Any], etag: str) -> bool:
    """Return whether the browser has this version, by the weak comparison of RFC 9110, section 8.8.3.2."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    return "*" in known or etag.removeprefix("W/") in known


def revalidated(request: Request[Any, Any, Any], page: Response[str], but: str = "") -> Response[str]:
    """Return a page with an ETag, or 304 for a browser that has it.

    but: a part that is different each time, and left out of the ETag. htmx requests fragments at the same addresses;
    Vary keeps them from being taken for pages.
    """
    content = page.content.replace(but, "") if but else page.content
    page.headers["ETag"] = etag = f'W/"{sha256(content.encode()).hexdigest()[:16]}"'
    page.headers["Cache-Control"] = "private, no-cache"
    page.headers["Vary"] = "HX-Request"
    if matches(request, etag):
        page.status_code, page.content = 304, ""
    return page
