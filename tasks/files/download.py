"""Download an output from an allowed address into a temporary file that deletes itself."""

import asyncio
import re
import zlib
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Self
from urllib.parse import unquote_to_bytes

import httpx

from tasks.errors import Failure
from tasks.settings import settings

CHUNK_BYTES = 256 * 1024  # bytes
MAX_REDIRECTS = 3
DOWNLOAD_TIMEOUT = 900.0  # seconds for one file
MAX_RETRY_AFTER_SECONDS = 600.0  # seconds; a longer wait may outlast the file, which Replicate deletes after an hour
HOST_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9-]*[a-z][a-z0-9-]*")  # a name, not an IP address
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)


class Scratch:
    """An unnamed temporary file, deleted when it is closed or the process dies. Counts and hashes what is written."""

    def __init__(self, max_bytes: int) -> None:
        folder = settings.data_dir / "tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Unbuffered, so that a full disk shows immediately, and closing has nothing left to write that could fail.
            self.file: IO[bytes] = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise _no_room() from error
        self.max_bytes = max_bytes
        self.size = 0
        self._sum = sha256()
        self._closing = Lock()  # a thread may outlive its download, but must not write to a reused file descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._closing:
            self.file.close()

    @property
    def sha256(self) -> str:
        """The hash of everything written so far, in hexadecimal."""
        return self._sum.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append bytes. Raises Failure when the file exceeds `max_bytes`, or the disk is full."""
        self.size += len(chunk)
        if self.size > self.max_bytes:
            raise too_large(self.max_bytes)
        self._sum.update(chunk)
        rest = memoryview(chunk)
        try:
            with self._closing:
                while rest:
                    rest = rest[self.file.write(rest) :]
        except OSError as error:
            raise _no_room() from error


def too_large(max_bytes: int) -> Failure:
    """Return the failure of an output that is larger than allowed."""
    return Failure("output_too_large", f"The result is larger than the limit of {max_bytes / 2**20:g} MiB.")


def _no_room() -> Failure:
    return Failure("storage_unavailable", "The server has no disk space for the result.", passing=True)


def allowed(url: httpx.URL) -> bool:
    """Return whether outputs may come from a URL: https on OUTPUT_HOSTS or their subdomains, or a Replicate of our own.

    This checks names only; tasks/files/ssrf.py checks the addresses that they resolve to.
    """
    own, host = own_origin(), _host(url)
    if own and (url.scheme, host, url.port) == (own.scheme, _host(own), own.port):
        return True
    hosts = [name.strip().lower() for name in settings.output_hosts.split(",") if name.strip()]
    below = any(host == name or host.endswith(f".{name}") for name in hosts)
    plain = url.scheme == "https" and url.port is None and not url.userinfo
    return below and plain and HOST_NAME.fullmatch(host) is not None


def own_origin() -> httpx.URL | None:
    """Return the URL of a Replicate of our own, if we use one: the stand-in, or what REPLICATE_API_URL names."""
    return httpx.URL(settings.api_url) if settings.standin or settings.replicate_api_url else None


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")  # .host decodes Punycode: it fails when that is invalid, and shows look-alikes


async def fetch(url: str, scratch: Scratch, client: httpx.AsyncClient, within: float = DOWNLOAD_TIMEOUT) -> str:
    """Fill a scratch file from a URL. Returns the media type that the sender claims, or ''. Raises Failure.

    url: https: or data:. within: seconds for the whole file; a pause may last as long as the client's read timeout.
    """
    if url[:5].lower() == "data:":
        return await asyncio.to_thread(_unpack, url, scratch)
    try:
        async with asyncio.timeout(within), _opened(url, client) as response:
            await _receive(response, scratch)
            return str(response.headers.get("content-type", ""))
    except (TimeoutError, httpx.TimeoutException) as error:
        raise Failure("download_timeout", "The result did not arrive in time.", passing=True) from error
    except httpx.RequestError as error:
        raise Failure("download_failed", "The result could not be downloaded.", passing=True) from error
    except (httpx.InvalidURL, UnicodeError) as error:  # httpx parses the target of a redirect that it does not follow
        raise Failure("output_host_refused", "Results cannot be downloaded from this address.") from error


def _unpack(url: str, scratch: Scratch) -> str:
    match = DATA_URL.match(url)
    if match is None:
        raise Failure("output_unreadable", "The model returned a data: URL without a file.")
    if len(url) - match.end() > 3 * scratch.max_bytes:  # no encoding takes more than three characters per byte
        raise too_large(scratch.max_bytes)
    try:
        for piece in _decoded(url, match.end(), packed=match[3] is not None):
            scratch.write(piece)
    except ValueError as error:
        raise Failure("output_unreadable", "The model returned a damaged data: URL.") from error
    return match[1]


def _decoded(url: str, start: int, packed: bool) -> Iterator[bytes]:
    """Yield the content of a data: URL piece by piece. As a whole, it would be in memory three times."""
    rest = b""
    while start < len(url):
        end = start + CHUNK_BYTES
        split = url.rfind("%", end - 2, end)  # do not split an escape
        end = split if split > start else end
        content = rest + unquote_to_bytes(url[start:end])
        whole = len(content) // 4 * 4 if packed and end < len(url) else len(content)
        rest, start = content[whole:], end
        yield b64decode(content[:whole], validate=True) if packed else content


@asynccontextmanager
async def _opened(url: str, client: httpx.AsyncClient) -> AsyncIterator[httpx.Response]:
    """Hold a successful response, its body unread, while the block runs. Checks each redirect like the first URL."""
    target = _checked(url)
    for _ in range(1 + MAX_REDIRECTS):
        async with client.stream("GET", target, follow_redirects=False) as response:
            if not response.has_redirect_location:
                _expect_success(response)
                yield response
                return
            target = _checked(response.headers["location"], target)
    raise Failure("download_failed", "The result's URL redirected too many times.")


def _checked(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        target = base.join(url) if base else httpx.URL(url)
    except (httpx.InvalidURL, ValueError):  # ValueError: a lone surrogate, for example
        target = httpx.URL()
    if not allowed(target):
        raise Failure("output_host_refused", f"Results cannot be downloaded from {_host(target) or 'this address'}.")
    return target


def _expect_success(response: httpx.Response) -> None:
    status, wait = response.status_code, response.headers.get("retry-after", "")
    if status != 200:
        retry_after = min(float(wait), MAX_RETRY_AFTER_SECONDS) if wait.isdecimal() else None
        raise Failure("download_failed", f"The result could not be downloaded (HTTP {status}).", True, retry_after)


async def _receive(response: httpx.Response, scratch: Scratch) -> None:
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and float(announced) > scratch.max_bytes:
        raise too_large(scratch.max_bytes)
    inflate = _inflater(response)
    try:
        async for chunk in response.aiter_raw(CHUNK_BYTES):
            await asyncio.to_thread(_take, chunk, inflate, scratch)
    except (httpx.ReadError, httpx.RemoteProtocolError, zlib.error) as error:
        raise _incomplete() from error
    whole = inflate.eof if inflate else not announced.isdecimal() or float(announced) == scratch.size
    if not whole:
        raise _incomplete()


def _incomplete() -> Failure:
    return Failure("download_incomplete", "Only part of the result arrived.", passing=True)


def _inflater(response: httpx.Response) -> "zlib._Decompress | None":
    """Return a decompressor for a body sent as gzip although we request identity, or None for an unencoded body.

    httpx would inflate without a limit. Raises Failure for any other encoding.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    if encoding in ("identity", ""):
        return None
    raise Failure("download_failed", "The result came in an encoding that Darkroom did not request.")


def _take(chunk: bytes, inflate: "zlib._Decompress | None", scratch: Scratch) -> None:
    if inflate is None:
        scratch.write(chunk)
        return
    full = True
    while chunk or full:  # after a full piece, the decompressor may hold more
        piece = inflate.decompress(chunk, CHUNK_BYTES)
        scratch.write(piece)
        chunk, full = inflate.unconsumed_tail, len(piece) == CHUNK_BYTES
    if inflate.unused_data:
        raise zlib.error("unexpected data after the end")
