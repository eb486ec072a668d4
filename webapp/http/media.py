"""The route /media/{key}: finished files, with ranges to seek, permanent caching and headers that block scripts."""

import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from litestar import HttpMethod, Request, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from starlette.responses import Response

from tasks.accounts.actors import Actor
from tasks.files import exports, media_files
from tasks.files.media_types import MEDIA_TYPES
from tasks.files.storage import Storage, unavailable
from webapp.http.authentication import actor_of
from webapp.http.etag import is_among
from webapp.http.methods import READ
from webapp.http.streams import streamed

KEY = re.compile(r"[A-Za-z0-9-]{1,80}(\.[A-Za-z0-9]{1,10}){1,3}")
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
ATTACHMENT_POLICY = "sandbox; default-src 'none'"
INLINE_POLICY = "sandbox allow-same-origin; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
"""This blocks scripts, too. For a film in its own tab, the browser generates a page that loads the film again."""
IMMUTABLE = "private, max-age=31536000, immutable"
REVALIDATE = "private, no-cache"  # what is written into a download depends on a setting

Part = tuple[int, int]
"""A byte range of a file: its start, and its end, which is not included."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to send.

    modified: None when the date says nothing. read: yields its bytes between two offsets. name: the name to save it as.
    """

    size: int
    etag: str
    modified: datetime | None
    read: Callable[[int, int], AsyncIterator[bytes]]
    name: str
    caching: str


@route("/media/{key:str}", http_method=READ)
async def media(request: Request[Any, Any, Any], key: FromPath[str]) -> Response:
    """Return a result, an upload or a preview that the database names.

    The bytes never change, so a browser may cache the file permanently. With `?download`, the file has a name to save
    it as, and says how it was made.
    """
    download = "download" in request.query_params
    file = await _file(request.app.state.storage, key, download, actor_of(request))
    headers = _headers(key, file, download)
    if _is_known(request.headers.get("if-none-match"), request.headers.get("if-modified-since"), file):
        kept = ("ETag", "Cache-Control", "Last-Modified")
        return Response(status_code=304, headers={name: headers[name] for name in kept if name in headers})
    if request.method == HttpMethod.HEAD:
        return Response(headers={**headers, "Content-Length": str(file.size)})
    part = _asked_for(request.headers.get("range"), file) if _is_same(request.headers.get("if-range"), file) else None
    if part is None:
        return await streamed(key, file.read(0, file.size), headers={**headers, "Content-Length": str(file.size)})
    start, end = part
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{file.size}", "Accept-Ranges": "bytes"})
    span = {"Content-Length": str(end - start), "Content-Range": f"bytes {start}-{end - 1}/{file.size}"}
    return await streamed(key, file.read(start, end), 206, {**headers, **span})


async def _file(storage: Storage, key: str, download: bool, actor: Actor) -> File:
    stored_key = await media_files.find(key, actor.sees_only) if KEY.fullmatch(key) else None
    if stored_key is None:
        raise NotFoundException("There is no such file.")
    stored = await storage.head(stored_key)
    if stored is None:  # a folder that is not mounted looks like this
        raise unavailable()
    ready = await exports.prepare(key, stored_key, stored, storage) if download else None
    caching = REVALIDATE if download else IMMUTABLE
    if ready is None:
        read = partial(storage.read, stored_key)
        return File(stored.size, stored.etag, stored.modified, read, f"darkroom-{key}", caching)
    name = f"{ready.name}.{key.rpartition('.')[2]}"
    modified = None if ready.edits else stored.modified  # the file's date is not the date of what is written into it
    return File(ready.size, ready.etag, modified, partial(ready.read, storage), name, caching)


def _headers(key: str, file: File, download: bool) -> dict[str, str]:
    kind = MEDIA_TYPES.get(key.rpartition(".")[2], MEDIA_TYPES["bin"])
    attached = {"Content-Disposition": _attachment(file.name)} if download or not kind.inline else {}
    dated = {"Last-Modified": _http_date(file.modified)} if file.modified else {}
    return {
        "Content-Type": kind.name,
        "ETag": file.etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": file.caching,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": INLINE_POLICY if kind.inline else ATTACHMENT_POLICY,
        **dated,
        **attached,
    }


def _attachment(name: str) -> str:
    """Return a file's name as in RFC 6266: in ASCII, and also in UTF-8 (RFC 8187) when ASCII cannot express it."""
    if name.isascii():
        return f'attachment; filename="{name}"'
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lstrip("-")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def _is_known(if_none_match: str | None, if_modified_since: str | None, file: File) -> bool:
    """Return whether the client already has this file.

    ETags are compared weakly (RFC 9110, 13.1.2). Only without them the date counts (13.1.3).
    """
    if if_none_match is not None:
        return is_among(if_none_match, file.etag)
    if if_modified_since is None or file.modified is None:
        return False
    try:
        since = parsedate_to_datetime(if_modified_since)
    except ValueError:
        return False
    return file.modified.replace(microsecond=0) <= (since if since.tzinfo else since.replace(tzinfo=UTC))


def _is_same(if_range: str | None, file: File) -> bool:
    """Return whether a part would fit what the browser already has (RFC 9110, 13.1.5: strong comparison)."""
    if if_range is None:
        return True
    return if_range.strip() == file.etag or (
        file.modified is not None and if_range.strip() == _http_date(file.modified)
    )


def _asked_for(header: str | None, file: File) -> Part | None:
    """Return the part that a Range header requests, or an empty part when the file has no such part.

    Returns None for the whole file, which is also a valid response to several ranges at once and to nonsense
    (RFC 9110, 14.2).
    """
    match = RANGE.fullmatch((header or "").strip().replace(" ", ""))
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(file.size - int(last), 0), file.size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, file.size) if last else file.size


routes = [media]
