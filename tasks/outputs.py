"""What a model made, from the provider into storage: found, checked, sniffed, measured, with a preview."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from mimetypes import guess_type
from typing import IO, Any
from uuid import UUID

import httpx

from tasks.addresses import PublicTransport
from tasks.failures import Failure
from tasks.fetch import DATA_URL, Scratch, allowed, fetch, own_origin
from tasks.media_types import MEDIA_TYPES, PREVIEW_SUFFIX, THUMBNAIL_SUFFIX, MediaType, sniff
from tasks.openers import Look, look
from tasks.settings import settings
from tasks.tables import Output

Schema = Mapping[str, Any]

EXCERPT = 2000  # characters of a text that cards show
AT_ONCE = 32  # outputs that one process brings in
MAX_BYTES = settings.max_output_mib * 2**20
MOST = 1000  # files of one job
DEEPEST = 100  # levels of lists and objects
PLAIN = ("image/png", "image/jpeg", "image/webp", "image/gif")  # always known by their first bytes

Store = Callable[[Mapping[str, IO[bytes] | bytes]], Awaitable[Mapping[str, str]]]
"""Puts files into storage, by their names below /media/ and in their order. Answers the names that they have there."""

_turns = asyncio.Semaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Link:
    """An output that is a file at an https: or data: address."""

    url: str


@dataclass(frozen=True, slots=True)
class Text:
    """An output that is text itself. extension: txt, or json where it is structured."""

    content: str
    extension: str = "txt"


Source = Link | Text


def find(output: object, schema: Schema | None) -> list[Source]:
    """The outputs in a prediction's `output`: its files in the provider's order, then its words as one text.

    schema: the model's plain Output schema, where known. Raises Failure: no_output when there is nothing in it,
    output_too_large (too many files), output_unreadable (nested beyond all sense).
    """
    leaves = list(_leaves(output, schema or {}))
    if all(isinstance(leaf, str) and not leaf.strip() for leaf in leaves):
        raise Failure("no_output", "The model ended without a result; it may have held it back. Try other words.")
    links = [leaf for leaf in leaves if isinstance(leaf, Link)]
    if len(links) > MOST:
        raise Failure("output_too_large", f"The model made more than {MOST} files at once.")
    words = [leaf for leaf in leaves if isinstance(leaf, str)]
    if not links and (isinstance(output, dict) or len(words) < len(leaves)):
        return [Text(json.dumps(output, ensure_ascii=False, indent=2), "json")]
    text = _separator(output, schema).join(words)
    return [*links, *([Text(text)] if text.strip() else [])]


def _leaves(value: object, schema: object, depth: int = 0) -> Iterator[Link | object]:
    """Every value that is no list, object or null; those that are files as links."""
    if depth > DEEPEST:
        raise Failure("output_unreadable", "The model's answer is nested too deeply.")
    if isinstance(value, str):
        is_file = value.strip() and (_of(schema, "format") == "uri" or _is_address(value))
        yield Link(value) if is_file else value
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, _of(schema, "items"), depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = _of(_of(schema, "properties"), name) or _of(schema, "additionalProperties")
            yield from _leaves(item, inner, depth + 1)
    elif value is not None:
        yield value


def _of(schema: object, name: str) -> object:
    return schema.get(name) if isinstance(schema, Mapping) else None  # a schema may also be true or false


def _is_address(text: str) -> bool:
    if DATA_URL.match(text):
        return True
    if not re.fullmatch(r"https?://\S+", text, re.IGNORECASE):
        return False
    return text[:6].lower() == "https:" or _is_own(text)


def _is_own(text: str) -> bool:
    try:
        return allowed(httpx.URL(text))
    except (httpx.InvalidURL, ValueError):
        return False


def _separator(output: object, schema: Schema | None) -> str:
    """Language models answer in tokens that make one text; other lists of words have a line each."""
    tokens = schema is None or schema.get("x-cog-array-type") == "iterator" or "x-cog-array-display" in schema
    return "" if tokens and isinstance(output, list) else "\n"


def files_client() -> httpx.AsyncClient:
    """A client for outputs. It knows no token: an output's address comes from a model, and may be anybody's.

    It connects to public addresses only, and to our own Replicate's.
    """
    own = own_origin()
    exempt = (own.raw_host.decode("ascii"), own.port or {"http": 80, "https": 443}[own.scheme]) if own else None
    # Each file has a connection of its own: on one that is used again, whatever a broken answer sent too much would be
    # taken for the answer to the next request, which may be another job's.
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
    return httpx.AsyncClient(
        transport=PublicTransport(limits, exempt),
        timeout=httpx.Timeout(30.0, connect=10.0, pool=None),
        headers={"User-Agent": "darkroom", "Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none: what one file sets, the next would send
    )


async def keep(
    job_id: UUID,
    position: int,
    source: Source,
    *,
    client: httpx.AsyncClient,
    store: Store,
    max_bytes: int = MAX_BYTES,
) -> Output:
    """Bring an output into storage.

    Answers its row, not saved yet and without its job. Raises Failure: download_failed, download_timeout,
    download_incomplete, output_host_refused, output_too_large, output_unreadable; or what `store` raises.
    """
    name = f"{job_id}-{position}" if position else f"{job_id}"
    async with _turns:
        with Scratch(max_bytes) as scratch:
            media = await _fill(scratch, source, client)
            seen = await look(scratch.file, media)
            key = f"{name}.{media.extension}"
            preview_key, thumbnail_key = name + PREVIEW_SUFFIX, name + THUMBNAIL_SUFFIX
            smaller = {preview_key: seen.preview, thumbnail_key: seen.thumbnail}
            scratch.file.seek(0)
            files: dict[str, IO[bytes] | bytes] = {its: content for its, content in smaller.items() if content}
            stored = await store({**files, key: scratch.file})  # last: where the file is, its previews are too
            row = _row(position, media, seen, scratch)
    row.key, row.stored_key = key, stored[key]
    if seen.preview:
        row.preview_key, row.stored_preview_key = preview_key, stored[preview_key]
        row.stored_thumbnail_key = stored.get(thumbnail_key)
    if isinstance(source, Text):
        row.placeholder = _excerpt(source.content)
    return row


def _excerpt(text: str) -> str:
    """Its beginning, without what a database does not take: NUL, and halves of surrogate pairs."""
    return text[:EXCERPT].encode(errors="replace").decode().replace("\0", "")


async def _fill(scratch: Scratch, source: Source, client: httpx.AsyncClient) -> MediaType:
    if isinstance(source, Text):
        await asyncio.to_thread(scratch.write, source.content.encode(errors="replace"))
        return MEDIA_TYPES[source.extension]
    claimed = await fetch(source.url, scratch, client)
    media = await asyncio.to_thread(sniff, scratch.file)
    if scratch.size == 0 or _is_impostor(media, claimed, source.url):
        raise Failure("output_unreadable", "The result is not what the model says it is.", passing=True)
    return media


def _is_impostor(media: MediaType, claimed: str, url: str) -> bool:
    """Whether it is said to be a picture, a film or a sound, and is writing (an error page, most likely) or garbage."""
    by_name = guess_type(httpx.URL(url).path)[0] or "" if url[:5].lower() != "data:" else ""
    claims = [claim.partition(";")[0].strip().lower() for claim in (claimed, by_name)]
    if media.extension == "bin":
        return any(claim in PLAIN for claim in claims)
    recorded = any(claim.startswith(("image/", "video/", "audio/")) for claim in claims)
    return recorded and media.extension in ("html", "json", "txt")


def _row(position: int, media: MediaType, seen: Look, scratch: Scratch) -> Output:
    return Output(
        position=position,
        kind=media.kind,
        media_type=media.name.partition(";")[0],
        bytes=scratch.size,
        sha256=scratch.sha256,
        width=seen.width,
        height=seen.height,
        duration=seen.duration,
        placeholder=seen.placeholder,
    )
