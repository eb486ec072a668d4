"""Bring a model's outputs from the provider into storage: find, check, sniff, measure and preview them."""

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from mimetypes import guess_type
from typing import IO, Any
from uuid import UUID

import httpx

from tasks.db.tables import Output
from tasks.errors import Failure
from tasks.files.decoder_pool import Decoded, DecoderPool
from tasks.files.download import DATA_URL, Scratch, allowed, fetch, own_origin
from tasks.files.media_types import MEDIA_TYPES, PREVIEW_SUFFIX, THUMBNAIL_SUFFIX, MediaType, sniff
from tasks.files.ssrf import PublicTransport, exempting
from tasks.replicate.client import USER_AGENT
from tasks.settings import settings

Schema = Mapping[str, Any]

EXCERPT_LENGTH = 2000  # characters of a text that cards show
MAX_CONCURRENT_OUTPUTS = 32  # outputs that one process brings in concurrently
MAX_OUTPUT_BYTES = settings.max_output_mib * 2**20
MAX_OUTPUTS = 1000  # files of one job
MAX_DEPTH = 100  # levels of lists and objects
RECOGNIZABLE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")  # always recognized by their first bytes

Store = Callable[[Mapping[str, IO[bytes] | bytes]], Awaitable[Mapping[str, str]]]
"""Puts files, given by their names below /media/, into storage in order. Returns the names that they have there."""


@dataclass(frozen=True, slots=True)
class Link:
    """An output that is a file at an https: or data: address."""

    url: str


@dataclass(frozen=True, slots=True)
class Text:
    """An output that is text itself. extension: txt, or json when the output is structured."""

    content: str
    extension: str = "txt"


Source = Link | Text


def find(output: object, schema: Schema | None) -> list[Source]:
    """Return the outputs in a prediction's `output`: its files in the provider's order, then its words as one text.

    schema: the model's plain Output schema, if known. Raises Failure: no_output (`output` is empty), output_too_large
    (too many files), output_unreadable (nested too deeply).
    """
    leaves = list(_leaves(output, schema or {}))
    if all(isinstance(leaf, str) and not leaf.strip() for leaf in leaves):
        raise Failure("no_output", "The model returned no result; it may have withheld it. Try a different prompt.")
    links = [leaf for leaf in leaves if isinstance(leaf, Link)]
    if len(links) > MAX_OUTPUTS:
        raise Failure("output_too_large", f"The model made more than {MAX_OUTPUTS} files at once.")
    words = [leaf for leaf in leaves if isinstance(leaf, str)]
    if not links and (isinstance(output, dict) or len(words) < len(leaves)):
        return [Text(json.dumps(output, ensure_ascii=False, indent=2), "json")]
    text = _separator(output, schema).join(words)
    return [*links, *([Text(text)] if text.strip() else [])]


def _leaves(value: object, schema: object, depth: int = 0) -> Iterator[Link | object]:
    """Yield every value that is not a list, an object or null. Files are yielded as links."""
    if depth > MAX_DEPTH:
        raise Failure("output_unreadable", "The model's output is nested too deeply.")
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
    """Return the separator of an output's texts.

    Language models return the tokens of one text. In other lists each text gets its own line.
    """
    tokens = schema is None or schema.get("x-cog-array-type") == "iterator" or "x-cog-array-display" in schema
    return "" if tokens and isinstance(output, list) else "\n"


def files_client() -> httpx.AsyncClient:
    """Return a client for outputs. It has no token: an output's address comes from a model, and may be anyone's.

    It connects only to public addresses and to the address of a Replicate of our own.
    """
    own = own_origin()
    exempt = (own.raw_host.decode("ascii"), own.port or {"http": 80, "https": 443}[own.scheme]) if own else None
    # Each file has its own connection. On a reused connection, the surplus bytes of a broken response would be taken
    # for the response to the next request, which may be another job's.
    limits = httpx.Limits(max_connections=MAX_CONCURRENT_OUTPUTS, max_keepalive_connections=0)
    return httpx.AsyncClient(
        transport=PublicTransport(limits, exempting(exempt)),
        timeout=httpx.Timeout(30.0, connect=10.0, pool=None),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none: a file's cookies would reach the next one
    )


class Importer:
    """Brings outputs into storage, up to MAX_CONCURRENT_OUTPUTS at a time. client: see files_client()."""

    def __init__(self, client: httpx.AsyncClient, decoders: DecoderPool) -> None:
        self._client, self._decoders = client, decoders
        self._turns = asyncio.Semaphore(MAX_CONCURRENT_OUTPUTS)

    async def keep(
        self, job_id: UUID, position: int, source: Source, store: Store, max_bytes: int = MAX_OUTPUT_BYTES
    ) -> Output:
        """Bring an output into storage.

        Returns its row, not saved yet and without its job. Raises Failure (download_failed, download_timeout,
        download_incomplete, output_host_refused, output_too_large, output_unreadable), and what `store` raises.
        """
        name = f"{job_id}-{position}" if position else f"{job_id}"
        async with self._turns:
            with Scratch(max_bytes) as scratch:
                media = await _fill(scratch, source, self._client)
                seen = await self._decoders.decode(scratch.file, media)
                key = f"{name}.{media.extension}"
                preview_key, thumbnail_key = name + PREVIEW_SUFFIX, name + THUMBNAIL_SUFFIX
                smaller = {preview_key: seen.preview, thumbnail_key: seen.thumbnail}
                scratch.file.seek(0)
                files: dict[str, IO[bytes] | bytes] = {its: content for its, content in smaller.items() if content}
                stored = await store({**files, key: scratch.file})  # last, so that a stored file has its previews
                row = _row(position, media, seen, scratch)
        row.key, row.stored_key = key, stored[key]
        if seen.preview:
            row.preview_key, row.stored_preview_key = preview_key, stored[preview_key]
            row.stored_thumbnail_key = stored.get(thumbnail_key)
        if isinstance(source, Text):
            row.placeholder = _excerpt(source.content)
        return row


def _excerpt(text: str) -> str:
    """Return the beginning of a text without what databases reject: NUL, and halves of surrogate pairs."""
    return text[:EXCERPT_LENGTH].encode(errors="replace").decode().replace("\0", "")


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
    """Return whether a claimed picture, video or sound is text instead (most likely an error page), or garbage."""
    by_name = guess_type(httpx.URL(url).path)[0] or "" if url[:5].lower() != "data:" else ""
    claims = [claim.partition(";")[0].strip().lower() for claim in (claimed, by_name)]
    if media.extension == "bin":
        return any(claim in RECOGNIZABLE_TYPES for claim in claims)
    recorded = any(claim.startswith(("image/", "video/", "audio/")) for claim in claims)
    return recorded and media.extension in ("html", "json", "txt")


def _row(position: int, media: MediaType, seen: Decoded, scratch: Scratch) -> Output:
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
        peaks=b64encode(seen.peaks).decode() if seen.peaks else None,
    )
