"""What a browser has already is not sent again: ETags, and 304 for who has that one (RFC 9110, section 13)."""

from hashlib import sha256
from typing import Any

from litestar import Request, Response


def matches(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the browser has it: the weak comparison of RFC 9110, section 8.8.3.2."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    return "*" in known or etag.removeprefix("W/") in known


def revalidated(request: Request[Any, Any, Any], page: Response[str], but: str = "") -> Response[str]:
    """A page with an ETag, or 304 for a browser that has it.

    but: a part that is different each time, and makes no difference. Pieces of pages, which htmx asks for at the same
    addresses, must not be taken for pages: hence Vary.
    """
    content = page.content.replace(but, "") if but else page.content
    page.headers["ETag"] = etag = f'W/"{sha256(content.encode()).hexdigest()[:16]}"'
    page.headers["Cache-Control"] = "private, no-cache"
    page.headers["Vary"] = "HX-Request"
    if matches(request, etag):
        page.status_code, page.content = 304, ""
    return page
