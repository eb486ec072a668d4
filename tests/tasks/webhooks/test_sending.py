"""One try to deliver an event, and what counts as which outcome."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import pytest

from tasks.files.ssrf import PublicTransport, exempting
from tasks.settings import settings
from tasks.webhooks import sending
from tasks.webhooks.sending import Answer
from tests.receivers import ANSWER, HANG, RESET, STUCK, Receiver, receiving
from tests.servers import free_port

pytestmark = pytest.mark.once

BODY = '{"type":"job.completed"}'
HEADERS = {"webhook-id": "msg_1"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def sent(url: str, transport: PublicTransport | None = None, within: float = 15.0) -> Answer:
    async with aclosing(transport or sending.transport()) as transport:
        return await sending.send(url, HEADERS, BODY, transport, within)


@pytest.mark.parametrize(
    ("mood", "outcome", "status"),
    [
        ("200", "success", 200), ("204", "success", 204), ("299", "success", 299), ("301", "redirect_refused", 301),
        ("304", "redirect_refused", 304), ("400", "client_error", 400), ("410", "client_error", 410),
        ("429", "client_error", 429), ("500", "server_error", 500), ("503", "server_error", 503),
        ("999", "server_error", 999), (RESET, "connection_error", None), ("nonsense", "connection_error", None),
    ],
)  # fmt: skip
async def test_2xx_alone_is_a_success(receiver: Receiver, mood: str, outcome: str, status: int | None) -> None:
    receiver.mood = mood
    answer = await sent(receiver.url)
    assert (answer.outcome, answer.status) == (outcome, status)
    assert answer.text in (ANSWER, "")
    assert len(receiver.arrivals) == 1


async def test_an_event_is_json_and_says_who_sends_it(receiver: Receiver) -> None:
    await sent(receiver.url.replace("127.0.0.1", "anna:sec%20ret@127.0.0.1") + "?token=a%2Fb")
    [arrival] = receiver.arrivals
    assert arrival.body == BODY
    assert arrival.headers["content-type"] == "application/json"
    assert arrival.headers["user-agent"].startswith("darkroom/")
    assert arrival.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert arrival.headers["authorization"] == "Basic YW5uYTpzZWMgcmV0"
    assert "cookie" not in arrival.headers


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    async with receiving() as other:
        for status in (301, 302, 303, 307, 308):
            receiver.moods.append(f"{status}\r\nLocation: {other.url}")
            assert (await sent(receiver.url)).outcome == "redirect_refused"
        assert other.arrivals == []


async def test_who_does_not_answer_in_time_is_given_up(receiver: Receiver) -> None:
    receiver.mood = HANG
    answer = await sent(receiver.url, within=0.2)
    assert (answer.outcome, answer.status) == ("timeout", None)
    assert 200 <= answer.milliseconds < 5000
    assert sending.TIMEOUT_SECONDS == 15.0


async def test_the_status_decides_also_when_the_rest_never_comes(receiver: Receiver) -> None:
    receiver.mood = STUCK
    assert (await sent(receiver.url, within=0.3)).outcome == "success"


async def test_where_nobody_listens_there_is_no_connection() -> None:
    answer = await sent(f"http://127.0.0.1:{free_port()}/")
    assert (answer.outcome, answer.status, answer.text) == ("connection_error", None, "")


@pytest.mark.parametrize("host", ["localhost", "2130706433", "[::1]", "169.254.169.254", "10.0.0.1"])
async def test_what_is_not_public_is_not_even_connected_to(receiver: Receiver, host: str) -> None:
    answer = await sent(f"http://{host}:{receiver.port}/", PublicTransport(httpx.Limits(), exempting(None)))
    assert (answer.outcome, answer.status) == ("ssrf_blocked", None)
    assert receiver.arrivals == []


async def test_this_darkroom_is_not_even_connected_to_though_its_address_is_allowed() -> None:
    assert "127.0.0.1" in settings.webhook_allowed_hosts
    assert (await sent(f"http://127.0.0.1:{settings.port}/generate")).outcome == "ssrf_blocked"


@pytest.mark.parametrize(("header", "seconds"), [("17", 17.0), ("soon", None)])
async def test_what_the_receiver_asks_for_is_read(receiver: Receiver, header: str, seconds: float | None) -> None:
    receiver.mood = f"503\r\nRetry-After: {header}"
    assert (await sent(receiver.url)).retry_after == seconds


async def test_of_an_answer_the_first_2_kb_are_kept_as_text() -> None:
    content = b"\x00\xff" + "\u00fc".encode() * 50_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)
        )
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        answered = await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert answered.outcome == "success"
    assert answered.text == "\ufffd\ufffd" + "\u00fc" * 1023


async def test_an_answer_without_end_is_not_waited_for() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 1000)
            await writer.drain()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        answered = await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (answered.outcome, answered.text) == ("success", "x" * 2048)
    assert answered.milliseconds < 10_000


async def test_no_log_has_the_address_of_an_event(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await sent(f"{receiver.url}?token=secret")
    assert caplog.text == ""


async def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:1")
    assert (await sent(receiver.url)).outcome == "success"
