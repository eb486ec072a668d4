"""Conditional requests: ETags, and 304 for a client that already has the content (RFC 9110, section 13)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, TypeVar, cast

from litestar import MediaType, Request, Response
from litestar.serialization import encode_json
from litestar.types import Scope

NO_STORE = {"Cache-Control": "no-store"}

Shape = TypeVar("Shape")


def is_among(if_none_match: str, etag: str) -> bool:
    """Return whether a tag is among those of If-None-Match, by the weak comparison of RFC 9110, section 8.8.3.2."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag.removeprefix("W/") in known


def matches(request: Request[Any, Any, Any], etag: str) -> bool:
    """Return whether the client has this version."""
    return is_among(request.headers.get("If-None-Match", ""), etag)


def revalidated(request: Request[Any, Any, Any], page: Response[str], but: str = "") -> Response[str]:
    """Return a page with an ETag, or 304 for a browser that has it.

    but: a part that is different each time, and left out of the ETag. htmx requests fragments at the same addresses;
    Vary keeps them from being taken for pages.
    """
    content = page.content.replace(but, "") if but else page.content
    page.headers["ETag"] = etag = _weak(content.encode())
    page.headers["Cache-Control"] = "private, no-cache"
    page.headers["Vary"] = ", ".join(filter(None, [page.headers.get("Vary"), "HX-Request"]))
    if matches(request, etag):
        page.status_code, page.content = 304, ""
    return page


def revalidated_json(scope: Scope, shape: Shape, headers: Mapping[str, str] | None = None) -> Response[Shape]:
    """Return a shape as JSON with an ETag, or 304 for a program that has it.

    The ETag is weak, because the response may be compressed (RFC 9110, section 8.8.3.3). The response holds the shape's
    bytes, so that they are encoded once. scope: the request's own, because making a Request of it takes a tenth of the
    time of a poll.
    """
    content = encode_json(shape)
    etag = _weak(content)
    every = {"ETag": etag, "Cache-Control": "private, no-cache", **(headers or {})}
    known = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
    if known is not None and is_among(known.decode("latin-1"), etag):
        return Response(cast("Shape", b""), status_code=304, headers=every)
    return Response(cast("Shape", content), headers=every, media_type=MediaType.JSON)


def _weak(content: bytes) -> str:
    return f'W/"{sha256(content).hexdigest()[:16]}"'
