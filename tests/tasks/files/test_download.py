"""Only whole files from allowed addresses are accepted."""

import asyncio
import gzip
import subprocess
import sys
import tracemalloc
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from tasks.errors import Failure
from tasks.files import download as fetching
from tasks.files import outputs
from tasks.files.download import Scratch, allowed, fetch
from tasks.settings import ROOT, Settings, settings

pytestmark = pytest.mark.once

URL = "https://pbxt.replicate.delivery/out-0.png"


def body(content: bytes, **headers: str) -> httpx.Response:
    """Return a good response whose body is still to come, as on a network."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(200, headers=named, stream=httpx.ByteStream(content))


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def failure_of(
    answer: Callable[[httpx.Request], httpx.Response], url: str = URL, max_bytes: int = 1000, within: float = 60.0
) -> Failure:
    with Scratch(max_bytes) as scratch, pytest.raises(Failure) as caught:
        async with client(answer) as files:
            await fetch(url, scratch, files, within)
    return caught.value


async def test_a_file_arrives_whole_with_its_sum_and_what_it_claims_to_be() -> None:
    content = bytes(range(256)) * 4000
    answer = body(content, content_type="image/png")
    with Scratch(2_000_000) as scratch:
        async with client(lambda _: answer) as files:
            assert await fetch(URL, scratch, files) == "image/png"
        scratch.file.seek(0)
        assert scratch.file.read() == content
        assert (scratch.size, scratch.sha256) == (len(content), sha256(content).hexdigest())


async def test_a_data_url_is_unpacked_in_both_encodings() -> None:
    for url in (
        f"data:text/plain;charset=utf-8;base64,{b64encode(b'hi there').decode()}",
        "data:text/plain,hi%20there",
    ):
        with Scratch(100) as scratch:
            async with client(lambda _: httpx.Response(500)) as files:
                assert await fetch(url, scratch, files) == "text/plain"
            scratch.file.seek(0)
            assert scratch.file.read() == b"hi there"


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7, 8, 250])
@pytest.mark.parametrize("packed", [True, False])
async def test_a_data_url_is_the_same_wherever_it_is_cut(
    size: int, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "CHUNK_BYTES", 7)
    content = bytes(range(256))[:size] + b"%=%"
    url = "data:a/b;base64," + quote(b64encode(content)) if packed else "data:a/b," + quote(content)
    with Scratch(1000) as scratch:
        async with client(lambda _: httpx.Response(500)) as files:
            await fetch(url, scratch, files)
        scratch.file.seek(0)
        assert scratch.file.read() == content


async def test_a_huge_data_url_is_unpacked_piece_by_piece() -> None:
    url = "data:a/b;base64," + quote(b64encode(bytes(range(256)) * 25_000))
    with Scratch(10_000_000) as scratch:
        tracemalloc.start()
        async with client(lambda _: httpx.Response(500)) as files:
            await fetch(url, scratch, files)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert scratch.size == 256 * 25_000
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,a",
        "data:image/png;base64,$$$$",
        "data:image/png;base64,QUJD%",
        "data:image/png;base64,QUJD\ud800",
        "data:image/png;base64,Grüße===",
        "data:text/plain,\udfff",
        "data:nothing",
    ],
    ids=ascii,
)
async def test_a_broken_data_url_is_unreadable(url: str) -> None:
    assert (await failure_of(lambda _: httpx.Response(500), url)).code == "output_unreadable"


@pytest.mark.parametrize("length", [2000, 9000])
async def test_a_data_url_that_is_too_large_is_refused(length: int) -> None:
    url = f"data:image/png;base64,{b64encode(bytes(length)).decode()}"
    assert (await failure_of(lambda _: httpx.Response(500), url)).code == "output_too_large"


@pytest.mark.parametrize("status", [404, 410, 401, 403, 400, 206, 429, 503])
async def test_no_single_answer_of_the_files_host_says_that_a_paid_result_is_lost(status: int) -> None:
    failure = await failure_of(lambda _: httpx.Response(status, headers={"Retry-After": "7"}))
    assert (failure.code, failure.passing, failure.retry_after) == ("download_failed", True, 7.0)


async def test_an_endless_file_is_dropped_at_the_cap() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield bytes(65536)

    failure = await failure_of(lambda _: httpx.Response(200, content=endless()), max_bytes=1_000_000)
    assert (failure.code, failure.passing) == ("output_too_large", False)
    assert sent < 2_000_000


async def test_a_file_that_announces_too_much_is_not_even_begun() -> None:
    async def untouched() -> AsyncIterator[bytes]:
        raise AssertionError("nobody reads this")
        yield b""

    answer = httpx.Response(200, content=untouched(), headers={"Content-Length": "1001"})
    assert (await failure_of(lambda _: answer)).code == "output_too_large"


async def test_a_file_that_stops_early_is_incomplete_and_that_may_pass() -> None:
    async def half() -> AsyncIterator[bytes]:
        yield bytes(100)

    failure = await failure_of(lambda _: httpx.Response(200, content=half(), headers={"Content-Length": "200"}))
    assert (failure.code, failure.passing) == ("download_incomplete", True)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Run a real server while the block runs, as if it was our own Replicate. Yields the address of a file there."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        origin = "http://{}:{}".format(*server.sockets[0].getsockname())
        with_settings(monkeypatch, replicate_api_url=f"{origin}/v1")
        yield f"{origin}/files/out.png"


def sending(*pieces: bytes) -> Handler:
    """Return a handler that answers with exactly these bytes, and closes the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return handle


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "code", "passing"),
    [
        (b"Content-Length: 500\r\n\r\nonly this", "download_incomplete", True),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "download_incomplete", True),
        (b"Transfer-Encoding: chunked\r\n\r\nno number\r\n", "download_incomplete", True),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "download_failed", True),
        (b"Content-Length: -5\r\n\r\nhello", "download_failed", True),
        (b"Content-Length: 99999999999999999999999\r\n\r\nhello", "download_failed", True),
        (b"Content-Length: 2000\r\n\r\nhello", "output_too_large", False),
        (
            b"Content-Length: 2000\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "output_too_large",
            False,
        ),
        (b"Transfer-Encoding: chunked\r\n\r\n800\r\n" + bytes(2048), "download_incomplete", True),
        (b"Transfer-Encoding: chunked\r\n\r\n800\r\n" + bytes(2048) + b"\r\n0\r\n\r\n", "output_too_large", False),
        (b"\r\n" + bytes(2000), "output_too_large", False),
        (b"Endless: " + b"x" * 500_000, "download_failed", True),
        (b"X: y\r\n" * 50_000, "download_failed", True),
    ],
    ids=lambda value: ascii(value[:40]) if isinstance(value, bytes) else "",
)
async def test_a_server_that_lies_about_the_length_is_found_out(
    answer: bytes, code: str, passing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(sending(OK + answer), monkeypatch) as url, outputs.files_client() as files:
        with Scratch(1000) as scratch, pytest.raises(Failure) as caught:
            await fetch(url, scratch, files)
    assert (caught.value.code, caught.value.passing) == (code, passing)


async def test_what_a_broken_answer_sends_too_much_is_not_taken_for_the_next_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def say_too_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK + b"Content-Length: 5\r\n\r\nhello" + OK + b"Content-Length: 4\r\n\r\nevil")

    async with serving(say_too_much, monkeypatch) as url, outputs.files_client() as files:
        for _ in range(2):
            with Scratch(1000) as scratch:
                await fetch(url, scratch, files)
                scratch.file.seek(0)
                assert scratch.file.read() == b"hello"


async def test_a_cookie_is_not_carried_from_one_file_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def bake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 1\r\n\r\nx")

    async with serving(bake, monkeypatch) as url, outputs.files_client() as files:
        for _ in range(2):
            with Scratch(1000) as scratch:
                await fetch(url, scratch, files)
    assert len(asked) == 2
    assert not any(b"cookie" in request.lower() for request in asked)


async def test_a_pause_longer_than_the_read_timeout_is_a_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 5\r\n\r\nhe")
        await reader.read()
        await reader.read()

    async with serving(stall, monkeypatch) as url, outputs.files_client() as files:
        files.timeout = httpx.Timeout(5.0, read=0.1)
        with Scratch(1000) as scratch, pytest.raises(Failure) as caught:
            await fetch(url, scratch, files)
    assert (caught.value.code, caught.value.passing) == ("download_timeout", True)


async def test_a_file_that_drips_is_given_up_though_no_pause_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 500\r\n\r\n")
        gone = asyncio.ensure_future(reader.read())
        while not gone.done():
            writer.write(b".")
            await asyncio.wait([gone], timeout=0.02)

    async with serving(drip, monkeypatch) as url, outputs.files_client() as files:
        with Scratch(1000) as scratch, pytest.raises(Failure) as caught:
            await fetch(url, scratch, files, within=0.3)
    assert (caught.value.code, caught.value.passing) == ("download_timeout", True)


async def test_a_file_that_is_sent_as_gzip_against_our_wish_is_unpacked() -> None:
    content = bytes(range(256)) * 4000
    answer = body(gzip.compress(content), content_encoding="GZip")
    with Scratch(2_000_000) as scratch:
        async with client(lambda _: answer) as files:
            await fetch(URL, scratch, files)
        assert (scratch.size, scratch.sha256) == (len(content), sha256(content).hexdigest())


async def test_gzip_that_inflates_beyond_measure_is_dropped_at_the_cap_and_never_in_memory() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    assert len(bomb) < 100_000
    tracemalloc.start()
    failure = await failure_of(lambda _: body(bomb, content_encoding="gzip"), max_bytes=50_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (failure.code, failure.passing) == ("output_too_large", False)
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("content", "encoding", "code", "passing"),
    [
        (gzip.compress(b"hello")[:-4], "gzip", "download_incomplete", True),
        (gzip.compress(b"hello") + b"more", "gzip", "download_incomplete", True),
        (b"hello", "gzip", "download_incomplete", True),
        (b"", "gzip", "download_incomplete", True),
        (gzip.compress(gzip.compress(b"hello")), "gzip, gzip", "download_failed", False),
        (b"hello", "br", "download_failed", False),
    ],
    ids=["cut", "more", "none", "empty", "twice", "unknown"],
)
async def test_an_encoding_that_is_damaged_or_that_nobody_asked_for_is_no_file(
    content: bytes, encoding: str, code: str, passing: bool
) -> None:
    failure = await failure_of(lambda _: body(content, content_encoding=encoding))
    assert (failure.code, failure.passing) == (code, passing)


async def test_a_file_in_the_identity_encoding_is_whole() -> None:
    with Scratch(100) as scratch:
        async with client(lambda _: body(b"hello", content_encoding="identity", content_length="5")) as files:
            await fetch(URL, scratch, files)
        assert scratch.size == 5


@pytest.mark.parametrize(("wait", "seconds"), [("9" * 400, 600.0), ("86400", 600.0), ("soon", None), ("-1", None)])
async def test_nobody_has_us_wait_for_longer_than_files_are_kept(wait: str, seconds: float | None) -> None:
    failure = await failure_of(lambda _: httpx.Response(503, headers={"Retry-After": wait}))
    assert failure.retry_after == seconds


async def test_a_stalled_file_times_out_and_that_may_pass() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    failure = await failure_of(lambda _: httpx.Response(200, content=stalled()), within=0.2)
    assert (failure.code, failure.passing) == ("download_timeout", True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpx.ConnectError, "download_failed"),
        (httpx.ReadTimeout, "download_timeout"),
        (httpx.ReadError, "download_failed"),
    ],
)
async def test_an_unreachable_host_may_pass(error: type[httpx.TransportError], code: str) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise error("no", request=request)

    failure = await failure_of(refuse)
    assert (failure.code, failure.passing) == (code, True)


async def test_redirects_are_followed_within_the_allowed_hosts() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/out-0.png":
            return httpx.Response(302, headers={"Location": "//czjl.replicate.delivery/moved.png"})
        return body(request.url.host.encode())

    with Scratch(1000) as scratch:
        async with client(answer) as files:
            await fetch(URL, scratch, files)
        scratch.file.seek(0)
        assert scratch.file.read() == b"czjl.replicate.delivery"


async def test_a_redirect_to_another_host_is_refused() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://169.254.169.254/latest/meta-data"})

    assert (await failure_of(answer)).code == "output_host_refused"
    assert asked == ["pbxt.replicate.delivery"]


@pytest.mark.parametrize(
    "location",
    [
        "http://pbxt.replicate.delivery/out-0.png",
        "https://pbxt.replicate.delivery:8443/out-0.png",
        "https://user@pbxt.replicate.delivery/out-0.png",
        "https://pbxt.replicate.delivery./out-0.png",
        "//evilreplicate.delivery/out-0.png",
        "//[::ffff:127.0.0.1]/",
        "http://127.0.0.1:1/files/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "https://pbxt.replicate.delivery/\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        "\\\\evil.example/out-0.png",
    ],
)
async def test_a_redirect_is_held_to_the_same_rule(location: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(302, headers={"Location": location})

    failure = await failure_of(answer)
    if location.startswith("\\"):  # not an address, but a path on the same host
        assert (failure.code, {url.host for url in asked}) == ("download_failed", {"pbxt.replicate.delivery"})
    else:
        assert (failure.code, failure.passing, len(asked)) == ("output_host_refused", False, 1)


async def test_redirects_end() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(307, headers={"Location": URL})

    assert (await failure_of(answer)).code == "download_failed"
    assert len(asked) == 4


def with_settings(monkeypatch: pytest.MonkeyPatch, **changes: object) -> Settings:
    changed = settings.model_copy(update={"output_hosts": "replicate.delivery, Example.org", **changes})
    monkeypatch.setattr(fetching, "settings", changed)
    return changed


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://replicate.delivery/a.png", True),
        ("https://a.b.replicate.delivery/a.png", True),
        ("https://REPLICATE.delivery:443/a.png", True),
        ("https://example.org/a.png", True),
        ("http://replicate.delivery/a.png", False),
        ("https://replicate.delivery:8443/a.png", False),
        ("https://user:pass@replicate.delivery/a.png", False),
        ("https://replicate.delivery@evil.example/a.png", False),
        ("https://evilreplicate.delivery/a.png", False),
        ("https://replicate.delivery.evil.example/a.png", False),
        ("https://127.0.0.1/a.png", False),
        ("https://7.0.0.1/a.png", False),
        ("https://2130706433/a.png", False),
        ("https://[::1]/a.png", False),
        ("https://replicate.delivery./a.png", False),
        ("https://evil.example./replicate.delivery", False),
        ("https://replicate.delivery:0/a.png", False),
        ("https://:pass@replicate.delivery/a.png", False),
        ("https://evil.example\\.replicate.delivery/a.png", False),
        ("https://replicate.delivery\\@evil.example/a.png", False),
        ("https://evil.example%2F.replicate.delivery/a.png", False),
        ("https://evil.example%00.replicate.delivery/a.png", False),
        ("https://%72eplicate.delivery/a.png", False),
        ("https://a..replicate.delivery/a.png", False),
        (f"https://{'a' * 64}.replicate.delivery/a.png", False),
        (f"https://{'a.' * 130}replicate.delivery/a.png", False),
        ("https://r\u0435plicate.delivery/a.png", False),
        ("https://xn--rplicate-c8g.delivery/a.png", False),
        ("https://xn--/a.png", False),
        ("https://xn--a.example/a.png", False),
        ("https://a_b-c.replicate.delivery/a.png", True),
        ("https://B\xfccher.replicate.delivery/a.png", True),
        ("file:///etc/passwd", False),
        ("/etc/passwd", False),
    ],
)
def test_outputs_come_over_https_from_the_allowed_hosts_and_below(
    url: str, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_settings(monkeypatch, output_hosts="replicate.delivery, Example.org, 0.0.1, 2130706433, ::1")
    assert allowed(httpx.URL(url)) is answer


def test_the_stand_ins_own_files_are_allowed_and_only_they(monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(monkeypatch, replicate_api_url="http://127.0.0.1:9001/v1")
    assert allowed(httpx.URL("http://127.0.0.1:9001/files/a.png"))
    assert not allowed(httpx.URL("http://127.0.0.1:9002/files/a.png"))
    assert not allowed(httpx.URL("http://localhost:9001/files/a.png"))


def test_the_real_api_is_no_source_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    real = with_settings(monkeypatch, replicate_api_url="", replicate_api_token=SecretStr("r8_x"))
    assert real.api_url == "https://api.replicate.com/v1"
    assert not allowed(httpx.URL("https://api.replicate.com/v1/files/a"))


@pytest.mark.parametrize(
    "url",
    [
        "https://[::1",
        "https://",
        "http://pbxt.replicate.delivery/a.png",
        "out.png",
        "https://pbxt.replicate.delivery/\ud800",
        "https://\uff52eplicate.delivery/a.png",
        "https://pbxt.replicate.delivery/" + "a" * 70_000,
        "https://pbxt.replicate.delivery/\0",
    ],
    ids=lambda url: ascii(url[:40]),
)
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert (await failure_of(lambda _: httpx.Response(200), url)).code == "output_host_refused"


async def test_a_look_alike_is_refused_by_the_name_it_really_has() -> None:
    failure = await failure_of(lambda _: httpx.Response(200), "https://r\u0435plicate.delivery/a.png")
    assert failure.message == "Results cannot be downloaded from xn--rplicate-c8g.delivery."


async def test_a_write_that_goes_on_in_its_thread_when_the_download_is_given_up_comes_to_nothing() -> None:
    with Scratch(1000) as scratch:
        scratch.write(b"x")
    with pytest.raises(ValueError, match="closed"):
        scratch.write(b"y")


async def test_a_scratch_file_has_no_name_and_so_leaves_nothing() -> None:
    with Scratch(1000) as scratch:
        scratch.write(b"x")
        assert list((settings.data_dir / "tmp").iterdir()) == []


def test_a_full_disk_is_a_failure_that_may_pass_and_leaves_nothing() -> None:
    program = """
import resource
from tasks.errors import Failure
from tasks.files.download import Scratch
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    with Scratch(10_000_000) as scratch:
        for _ in range(3):
            scratch.write(bytes(400_000))
except Failure as failure:
    print(failure.code, failure.passing)
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("storage_unavailable True\n", "")
    assert list((settings.data_dir / "tmp").iterdir()) == []


def test_a_folder_for_scratch_files_that_cannot_be_made_is_a_failure_that_may_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tmp").write_text("in the way")
    monkeypatch.setattr(fetching, "settings", settings.model_copy(update={"data_dir": tmp_path}))
    with pytest.raises(Failure) as caught:
        Scratch(1000)
    assert (caught.value.code, caught.value.passing) == ("storage_unavailable", True)
