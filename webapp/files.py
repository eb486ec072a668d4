"""/media/...: finished files, with ranges so that films seek, caching for good, and headers that let nothing run."""

import re
from email.utils import format_datetime
from typing import Any

from litestar import HttpMethod, Request, route
from litestar.exceptions import NotFoundException, ServiceUnavailableException
from litestar.params import FromPath
from starlette.responses import Response, StreamingResponse

from tasks.failures import Failure
from tasks.media_types import MEDIA_TYPES
from tasks.storage import Storage, Stored
from webapp.methods import READ

KEY = re.compile(r"[A-Za-z0-9-]{1,80}(\.[A-Za-z0-9]{1,10}){1,3}")
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
LOCKED = "sandbox; default-src 'none'"
SHOWN = "sandbox allow-same-origin; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
"""No script runs here either. In a tab of its own a film is a page that the browser makes, which loads it once more."""

Part = tuple[int, int]
"""Bytes of a file: from the first up to and without the last."""


@route("/media/{key:str}", http_method=READ)
async def media(request: Request[Any, Any, Any], key: FromPath[str]) -> Response:
    """A finished file. Its bytes never change, so a browser may keep it for ever."""
    storage: Storage = request.app.state.storage
    stored = await _head(storage, key)
    headers = _headers(key, stored, "download" in request.query_params)
    if _is_known(request.headers.get("if-none-match"), stored):
        return Response(
            status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control", "Last-Modified")}
        )
    if request.method == HttpMethod.HEAD:
        return Response(headers={**headers, "Content-Length": str(stored.size)})
    part = (
        _asked_for(request.headers.get("range"), stored) if _is_same(request.headers.get("if-range"), stored) else None
    )
    if part is None:
        return StreamingResponse(
            storage.read(key, 0, stored.size), headers={**headers, "Content-Length": str(stored.size)}
        )
    start, end = part
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{stored.size}", "Accept-Ranges": "bytes"})
    span = {"Content-Length": str(end - start), "Content-Range": f"bytes {start}-{end - 1}/{stored.size}"}
    return StreamingResponse(storage.read(key, start, end), status_code=206, headers={**headers, **span})


async def _head(storage: Storage, key: str) -> Stored:
    try:
        stored = await storage.head(key) if KEY.fullmatch(key) else None
    except Failure as failure:
        raise ServiceUnavailableException(failure.message) from failure
    if stored is None:
        raise NotFoundException("There is no such file.")
    return stored


def _headers(key: str, stored: Stored, download: bool) -> dict[str, str]:
    kind = MEDIA_TYPES.get(key.rpartition(".")[2], MEDIA_TYPES["bin"])
    attached = {"Content-Disposition": f'attachment; filename="darkroom-{key}"'} if download or not kind.inline else {}
    return {
        "Content-Type": kind.name,
        "ETag": stored.etag,
        "Last-Modified": _http_date(stored),
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": SHOWN if kind.inline else LOCKED,
        **attached,
    }


def _http_date(stored: Stored) -> str:
    return format_datetime(stored.modified, usegmt=True)


def _is_known(if_none_match: str | None, stored: Stored) -> bool:
    """Whether the browser has this very file (RFC 9110, 13.1.2: compared weakly)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in tags or stored.etag in tags


def _is_same(if_range: str | None, stored: Stored) -> bool:
    """Whether a part would fit what the browser has (RFC 9110, 13.1.5: compared strongly)."""
    return if_range is None or if_range.strip() in (stored.etag, _http_date(stored))


def _asked_for(header: str | None, stored: Stored) -> Part | None:
    """The part that a Range header asks for; an empty one where the file has no such part.

    None: the whole file, which is also the lawful answer to several ranges at once and to nonsense (RFC 9110, 14.2).
    """
    match = RANGE.fullmatch((header or "").strip().replace(" ", ""))
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(stored.size - int(last), 0), stored.size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, stored.size) if last else stored.size


routes = [media]
