"""GET /static/...: styles, scripts, fonts, compressed once, and cached by browsers while their address is the same."""

import asyncio
import gzip
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

import brotli
from async_lru import alru_cache
from litestar import Request, Response, route
from litestar.params import FromPath

from webapp.http.errors import Problem
from webapp.http.etag import matches
from webapp.http.methods import READ
from webapp.render import assets
from webapp.schemas.codes import Code

VERSIONED = re.compile(r"/vendor/[^/]*-\d+\.\d+\.\d+")
KEPT, ASKED_FOR_AGAIN = "max-age=31536000, immutable", "no-cache"
MAX_BEST_COMPRESSION_BYTES = 200_000  # bytes; the best compression of a larger file takes a second, which is too long

TEXTS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain",
    ".md": "text/markdown",
}
COMPRESSED_TYPES = {".woff2": "font/woff2", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is sent. packed: its compressed bytes by Content-Encoding, where they are fewer."""

    etag: str
    media_type: str
    content: bytes
    packed: dict[str, bytes]


@route("/static/{path:path}", http_method=READ)
async def static(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[bytes]:
    """Return a file. It is cached for a year if its address changes with its bytes, else revalidated each time."""
    if path[1:] not in assets.PATHS:
        raise Problem(Code.NOT_FOUND, "There is nothing at this address.")
    file = await _file(path[1:])
    coding = _coding(request.headers.get("Accept-Encoding", ""), file)
    headers = {
        "ETag": f'"{file.etag}{f"-{coding}" if coding else ""}"',
        "Cache-Control": KEPT if "v" in request.query_params or VERSIONED.search(request.url.path) else ASKED_FOR_AGAIN,
        "Vary": "Accept-Encoding",
    }
    if matches(request, headers["ETag"]):
        return Response(b"", status_code=304, headers=headers)
    if coding:
        headers["Content-Encoding"] = coding
    return Response(file.packed.get(coding, file.content), headers=headers, media_type=file.media_type)


def _coding(accepted: str, file: _File) -> str:
    """Return the best coding that a browser accepts and that makes the file smaller, or "" for none."""
    takes = {part.partition(";")[0].strip() for part in accepted.split(",") if not part.rstrip().endswith(";q=0")}
    return next((coding for coding in file.packed if coding in takes), "")


@alru_cache(maxsize=None)
async def _file(path: str) -> _File:
    return await asyncio.to_thread(_load, path)


def _load(path: str) -> _File:
    content, suffix, packed = assets.content(path), PurePosixPath(path).suffix, {}
    if suffix in TEXTS:
        quality = 11 if len(content) < MAX_BEST_COMPRESSION_BYTES else 6
        packed = {"br": brotli.compress(content, quality=quality), "gzip": gzip.compress(content)}
    smaller = {coding: bytes_ for coding, bytes_ in packed.items() if len(bytes_) < len(content)}
    media_type = (TEXTS | COMPRESSED_TYPES).get(suffix, "application/octet-stream")
    return _File(sha256(content).hexdigest()[:16], media_type, content, smaller)
