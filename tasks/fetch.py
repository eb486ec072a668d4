"""The bytes of an output, from an address that is allowed, into a file that vanishes by itself."""

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

from tasks.failures import Failure
from tasks.settings import settings

CHUNK = 256 * 1024  # bytes
REDIRECTS = 3
IN_ALL = 900.0  # seconds for one file
LONGEST_WAIT = 600.0  # seconds; who asks for more outlives the file, which Replicate deletes after an hour
HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9-]*[a-z][a-z0-9-]*")  # a name, no number: no IP address
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)


class Scratch:
    """A file without a name, gone when it is closed or the process dies. Counts and sums what is written."""

    def __init__(self, max_bytes: int) -> None:
        folder = settings.data_dir / "tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Unbuffered, so that a full disk shows at once, and closing has nothing left to fail with.
            self.file: IO[bytes] = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise _no_room() from error
        self.max_bytes = max_bytes
        self.size = 0
        self._sum = sha256()
        self._closing = Lock()  # a thread may still write when a download is given up: never to a number used anew

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._closing:
            self.file.close()

    @property
    def sha256(self) -> str:
        """Of all that was written, in hexadecimal."""
        return self._sum.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Add some bytes. Raises Failure when they are too many, or the disk is full."""
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
    """The failure of an output that is larger than allowed."""
    return Failure("output_too_large", f"The result is larger than the {max_bytes / 2**20:g} MiB that are allowed.")


def _no_room() -> Failure:
    return Failure("storage_unavailable", "There is no room for the result on the server's disk.", passing=True)


def allowed(url: httpx.URL) -> bool:
    """Whether outputs may come from there: https on OUTPUT_HOSTS and below, and where we ask a Replicate of our own.

    This is about names; tasks/addresses.py sees to what they lead to.
    """
    own, host = own_origin(), _host(url)
    if own and (url.scheme, host, url.port) == (own.scheme, _host(own), own.port):
        return True
    hosts = [name.strip().lower() for name in settings.output_hosts.split(",") if name.strip()]
    below = any(host == name or host.endswith(f".{name}") for name in hosts)
    plain = url.scheme == "https" and url.port is None and not url.userinfo
    return below and plain and HOST.fullmatch(host) is not None


def own_origin() -> httpx.URL | None:
    """Where a Replicate of our own is, if we ask one: the stand-in, or what REPLICATE_API_URL names."""
    return httpx.URL(settings.api_url) if settings.standin or settings.replicate_api_url else None


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")  # .host decodes Punycode: it fails on bad one, and shows look-alikes


async def fetch(url: str, scratch: Scratch, client: httpx.AsyncClient, within: float = IN_ALL) -> str:
    """Fill a scratch file from a URL. Answers the media type that the sender claims, or ''. Raises Failure.

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
    except (httpx.InvalidURL, UnicodeError) as error:  # httpx reads where a redirect leads even when told not to follow
        raise Failure("output_host_refused", "Results are not fetched from such an address.") from error


def _unpack(url: str, scratch: Scratch) -> str:
    match = DATA_URL.match(url)
    if match is None:
        raise Failure("output_unreadable", "The model answered with a data: address that holds no file.")
    if len(url) - match.end() > 3 * scratch.max_bytes:  # no encoding takes more than three characters a byte
        raise too_large(scratch.max_bytes)
    try:
        for piece in _decoded(url, match.end(), packed=match[3] is not None):
            scratch.write(piece)
    except ValueError as error:
        raise Failure("output_unreadable", "The model answered with a data: address that is damaged.") from error
    return match[1]


def _decoded(url: str, start: int, packed: bool) -> Iterator[bytes]:
    """The content of a data: URL, piece by piece: as a whole it would be in memory three times over."""
    rest = b""
    while start < len(url):
        end = start + CHUNK
        split = url.rfind("%", end - 2, end)  # an escape is not cut in two
        end = split if split > start else end
        content = rest + unquote_to_bytes(url[start:end])
        whole = len(content) // 4 * 4 if packed and end < len(url) else len(content)
        rest, start = content[whole:], end
        yield b64decode(content[:whole], validate=True) if packed else content


@asynccontextmanager
async def _opened(url: str, client: httpx.AsyncClient) -> AsyncIterator[httpx.Response]:
    """A good answer, its body not read yet. Each redirect is held to the same rule as the first address."""
    target = _checked(url)
    for _ in range(1 + REDIRECTS):
        async with client.stream("GET", target, follow_redirects=False) as response:
            if not response.has_redirect_location:
                _expect_success(response)
                yield response
                return
            target = _checked(response.headers["location"], target)
    raise Failure("download_failed", "The result's address only led to other addresses.")


def _checked(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        target = base.join(url) if base else httpx.URL(url)
    except (httpx.InvalidURL, ValueError):  # ValueError: half a surrogate pair, for one
        target = httpx.URL()
    if not allowed(target):
        raise Failure("output_host_refused", f"Results are not fetched from {_host(target) or 'such an address'}.")
    return target


def _expect_success(response: httpx.Response) -> None:
    status, wait = response.status_code, response.headers.get("retry-after", "")
    if status != 200:
        retry_after = min(float(wait), LONGEST_WAIT) if wait.isdecimal() else None
        raise Failure("download_failed", f"The result could not be downloaded (HTTP {status}).", True, retry_after)


async def _receive(response: httpx.Response, scratch: Scratch) -> None:
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and float(announced) > scratch.max_bytes:
        raise too_large(scratch.max_bytes)
    inflate = _inflater(response)
    try:
        async for chunk in response.aiter_raw(CHUNK):
            await asyncio.to_thread(_take, chunk, inflate, scratch)
    except (httpx.ReadError, httpx.RemoteProtocolError, zlib.error) as error:
        raise _incomplete() from error
    whole = inflate.eof if inflate else not announced.isdecimal() or float(announced) == scratch.size
    if not whole:
        raise _incomplete()


def _incomplete() -> Failure:
    return Failure("download_incomplete", "Only a part of the result arrived.", passing=True)


def _inflater(response: httpx.Response) -> "zlib._Decompress | None":
    """What unpacks a body that is sent as gzip, though we ask for it as it is. httpx would inflate without a limit."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    if encoding in ("identity", ""):
        return None
    raise Failure("download_failed", "The result came in an encoding that Darkroom did not ask for.")


def _take(chunk: bytes, inflate: "zlib._Decompress | None", scratch: Scratch) -> None:
    if inflate is None:
        scratch.write(chunk)
        return
    full = True
    while chunk or full:  # a full piece may have left some of itself inside
        piece = inflate.decompress(chunk, CHUNK)
        scratch.write(piece)
        chunk, full = inflate.unconsumed_tail, len(piece) == CHUNK
    if inflate.unused_data:
        raise zlib.error("something follows the end")
