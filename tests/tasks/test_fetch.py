"""Only whole files from allowed addresses come in."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from hashlib import sha256

import httpx
import pytest
from pydantic import SecretStr

from tasks import fetch as fetching
from tasks.failures import Failure
from tasks.fetch import Scratch, allowed, fetch
from tasks.settings import Settings, settings

URL = "https://pbxt.replicate.delivery/out-0.png"


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def failure_of(
    answer: Callable[[httpx.Request], httpx.Response], url: str = URL, max_bytes: int = 1000
) -> Failure:
    with Scratch(max_bytes) as scratch, pytest.raises(Failure) as caught:
        async with client(answer) as files:
            await fetch(url, scratch, files, within=0.2)
    return caught.value


async def test_a_file_arrives_whole_with_its_sum_and_what_it_claims_to_be() -> None:
    content = bytes(range(256)) * 4000
    answer = httpx.Response(200, content=content, headers={"Content-Type": "image/png"})
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


@pytest.mark.parametrize("url", ["data:image/png;base64,a", "data:image/png;base64,$$$$", "data:nothing"])
async def test_a_broken_data_url_is_unreadable(url: str) -> None:
    assert (await failure_of(lambda _: httpx.Response(500), url)).code == "output_unreadable"


@pytest.mark.parametrize("length", [2000, 9000])
async def test_a_data_url_that_is_too_large_is_refused(length: int) -> None:
    url = f"data:image/png;base64,{b64encode(bytes(length)).decode()}"
    assert (await failure_of(lambda _: httpx.Response(500), url)).code == "output_too_large"


@pytest.mark.parametrize(
    ("status", "code", "passing"),
    [
        (404, "output_gone", False),
        (410, "output_gone", False),
        (403, "output_gone", False),
        (400, "download_failed", False),
        (206, "download_failed", False),
        (429, "download_failed", True),
        (503, "download_failed", True),
    ],
)
async def test_a_refusal_is_told_apart_by_whether_trying_again_may_help(status: int, code: str, passing: bool) -> None:
    failure = await failure_of(lambda _: httpx.Response(status, headers={"Retry-After": "7"}))
    assert (failure.code, failure.passing) == (code, passing)
    assert failure.retry_after == (7.0 if code == "download_failed" else None)


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


async def test_a_connection_that_breaks_halfway_is_incomplete_and_that_may_pass() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nonly this")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        redirected = _To(*server.sockets[0].getsockname())
        with Scratch(1000) as scratch, pytest.raises(Failure) as caught:
            async with httpx.AsyncClient(transport=redirected) as files:
                await fetch(URL, scratch, files)
    assert (caught.value.code, caught.value.passing) == ("download_incomplete", True)


async def test_a_stalled_file_times_out_and_that_may_pass() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    failure = await failure_of(lambda _: httpx.Response(200, content=stalled()))
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
        return httpx.Response(200, content=request.url.host.encode())

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
        ("file:///etc/passwd", False),
        ("/etc/passwd", False),
    ],
)
def test_outputs_come_over_https_from_the_allowed_hosts_and_below(
    url: str, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_settings(monkeypatch)
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


@pytest.mark.parametrize("url", ["https://[::1", "https://", "http://pbxt.replicate.delivery/a.png", "out.png"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert (await failure_of(lambda _: httpx.Response(200), url)).code == "output_host_refused"


async def test_a_scratch_file_has_no_name_and_so_leaves_nothing() -> None:
    with Scratch(1000) as scratch:
        scratch.write(b"x")
        assert list((settings.data_dir / "tmp").iterdir()) == []


class _To(httpx.AsyncHTTPTransport):
    """Sends every request to one server, whatever its address says."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._server = {"scheme": "http", "host": host, "port": port}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(**self._server)
        return await super().handle_async_request(request)
