"""The outputs of a prediction are found and stored."""

import json
import socket
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import httpcore
import httpx
import pytest

from tasks.db.tables import Output
from tasks.errors import Failure
from tasks.files import outputs
from tasks.files.outputs import Importer, Link, Text, find
from tasks.files.storage import Storage
from tasks.settings import settings
from tests.tasks import samples
from tests.tasks.work import DECODERS

pytestmark = pytest.mark.once

JOB = UUID("0192f0c1-2b3c-7def-8123-456789abcdef")
HOST = "https://xezq.replicate.delivery"
URI = {"type": "string", "format": "uri"}
TOKENS = {
    "type": "array",
    "items": {"type": "string"},
    "x-cog-array-type": "iterator",
    "x-cog-array-display": "concatenate",
}


@pytest.mark.parametrize(
    ("output", "schema", "sources"),
    [
        (f"{HOST}/a.png", URI, [Link(f"{HOST}/a.png")]),
        (f"{HOST}/a.png", None, [Link(f"{HOST}/a.png")]),
        ([f"{HOST}/a.png", f"{HOST}/b.png"], {"items": URI}, [Link(f"{HOST}/a.png"), Link(f"{HOST}/b.png")]),
        ([f"{HOST}/a.png", None], None, [Link(f"{HOST}/a.png")]),
        (
            {"data": [f"{HOST}/1.json"], "point_cloud": None, "depth": {"images": [f"{HOST}/2.png"]}, "score": 0.5},
            None,
            [Link(f"{HOST}/1.json"), Link(f"{HOST}/2.png")],
        ),
        ({"vocals": "out.wav"}, {"properties": {"vocals": URI}}, [Link("out.wav")]),
        ({"audio": f"{HOST}/a.wav", "said": "hello"}, None, [Link(f"{HOST}/a.wav"), Text("hello")]),
        ("data:image/png;base64,AAAA", None, [Link("data:image/png;base64,AAAA")]),
        ("data: the new oil", None, [Text("data: the new oil")]),
        ("hello Alice", {"type": "string"}, [Text("hello Alice")]),
        (["Once", " upon", " a", " time"], TOKENS, [Text("Once upon a time")]),
        (["Once", " upon"], None, [Text("Once upon")]),
        (["cat", "dog"], {"type": "array", "items": {"type": "string"}}, [Text("cat\ndog")]),
        (["see https://example.org ", "for more"], TOKENS, [Text("see https://example.org for more")]),
        ("http://elsewhere.example/a.png", None, [Text("http://elsewhere.example/a.png")]),
        (0.5, None, [Text("0.5", "json")]),
        ({"label": "Katze", "n": 1}, None, [Text('{\n  "label": "Katze",\n  "n": 1\n}', "json")]),
        ({"a": f"{HOST}/a.png"}, {"additionalProperties": True, "properties": None}, [Link(f"{HOST}/a.png")]),
        ([f"{HOST}/a.png"], {"items": False}, [Link(f"{HOST}/a.png")]),
        ({"a": {"b": ["out.wav"]}}, {"additionalProperties": {"properties": {"b": {"items": URI}}}}, [Link("out.wav")]),
        ([[[]], {"a": [None, {}]}, f"{HOST}/a.png"], None, [Link(f"{HOST}/a.png")]),
        ("https://evil.example/\ud800", None, [Link("https://evil.example/\ud800")]),
        ("http://[::1", None, [Text("http://[::1")]),
        ("http://xn--/\udfff", None, [Text("http://xn--/\udfff")]),
        ([{"start": 0.5, "text": "ü"}], None, [Text('[\n  {\n    "start": 0.5,\n    "text": "ü"\n  }\n]', "json")]),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, str) else "",
)
def test_every_shape_of_output_is_understood(
    output: object, schema: outputs.Schema | None, sources: list[object]
) -> None:
    assert find(output, schema) == sources


@pytest.mark.parametrize("output", [None, [], {}, "", [None], {"images": []}, ["", " "]])
def test_no_output_is_a_failure_that_does_not_pass(output: object) -> None:
    with pytest.raises(Failure) as caught:
        find(output, {"type": "array", "items": URI})
    assert (caught.value.code, caught.value.passing) == ("no_output", False)


def _nested(depth: int) -> object:
    value: object = f"{HOST}/a.png"
    for _ in range(depth):
        value = [value]
    return value


def test_an_answer_that_is_nested_beyond_all_sense_is_a_failure_that_does_not_pass() -> None:
    assert find(_nested(100), None) == [Link(f"{HOST}/a.png")]
    for value in (_nested(101), _nested(900), {"a": _nested(900)}):
        with pytest.raises(Failure) as caught:
            find(value, None)
        assert (caught.value.code, caught.value.passing) == ("output_unreadable", False)


def test_more_files_than_anybody_can_want_are_a_failure_that_does_not_pass() -> None:
    many = [f"{HOST}/{number}.png" for number in range(1000)]
    assert len(find(many, None)) == 1000
    with pytest.raises(Failure) as caught:
        find([*many, f"{HOST}/a.png"], None)
    assert (caught.value.code, caught.value.passing) == ("output_too_large", False)


def test_files_of_the_stand_in_are_found_though_they_come_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    own = settings.model_copy(update={"replicate_api_url": "http://127.0.0.1:9001/v1"})
    monkeypatch.setattr("tasks.files.download.settings", own)
    assert find("http://127.0.0.1:9001/files/a.png", None) == [Link("http://127.0.0.1:9001/files/a.png")]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    (tmp_path / "media").mkdir()
    return Storage.open(str(tmp_path / "media"))


class Provider:
    """A file host, and a client for it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.media_type = "application/octet-stream"
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.importer = Importer(self.client, DECODERS)

    def serve(self, name: str, content: bytes, media_type: str = "application/octet-stream") -> Link:
        self.files[f"/{name}"], self.media_type = content, media_type
        return Link(f"{HOST}/{name}")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        content = self.files[request.url.path]
        return httpx.Response(200, stream=httpx.ByteStream(content), headers={"Content-Type": self.media_type})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    yield provider
    await provider.client.aclose()


def into(storage: Storage) -> outputs.Store:
    """Return a function that stores files under their own names."""

    async def store(files: Mapping[str, IO[bytes] | bytes]) -> dict[str, str]:
        for key, content in files.items():
            await storage.put(key, content)
        return {key: key for key in files}

    return store


async def stored(storage: Storage, key: str | None) -> bytes:
    assert key is not None
    head = await storage.head(key)
    assert head is not None
    return b"".join([piece async for piece in storage.read(key, 0, head.size)])


async def test_a_picture_is_kept_with_its_measures_sum_and_preview(provider: Provider, storage: Storage) -> None:
    content = samples.picture(1024, 768)
    source = provider.serve("out-0.png", content, "image/png")
    row = await provider.importer.keep(JOB, 0, source, into(storage))
    assert (row.key, row.preview_key) == (f"{JOB}.png", f"{JOB}.preview.webp")
    assert (row.kind, row.media_type, row.bytes) == ("image", "image/png", len(content))
    assert (row.width, row.height, row.position) == (1024, 768, 0)
    assert row.duration is None
    assert row.sha256 == sha256(content).hexdigest()
    assert row.placeholder
    assert await stored(storage, row.key) == content
    assert (await stored(storage, row.preview_key))[8:12] == b"WEBP"
    assert row.stored_thumbnail_key is not None
    assert (await stored(storage, row.stored_thumbnail_key))[8:12] == b"WEBP"


async def test_a_small_picture_has_one_preview(provider: Provider, storage: Storage, tmp_path: Path) -> None:
    source = provider.serve("out.png", samples.picture(256, 192))
    row = await provider.importer.keep(JOB, 0, source, into(storage))
    assert row.stored_thumbnail_key is None
    assert names(tmp_path / "media") == [f"{JOB}.png", f"{JOB}.preview.webp"]


async def test_further_outputs_carry_their_position_in_their_keys(provider: Provider, storage: Storage) -> None:
    row = await provider.importer.keep(JOB, 2, provider.serve("a", samples.film()), into(storage))
    assert (row.key, row.preview_key) == (f"{JOB}-2.mp4", f"{JOB}-2.preview.webp")
    assert (row.kind, row.width, row.height, row.position) == ("video", 320, 180, 2)
    assert row.duration == pytest.approx(2.0, abs=0.11)


async def test_a_sound_has_peaks_and_no_preview(provider: Provider, storage: Storage, tmp_path: Path) -> None:
    row = await provider.importer.keep(JOB, 0, provider.serve("a.wav", samples.sound()), into(storage))
    assert (row.key, row.kind, row.duration) == (f"{JOB}.wav", "audio", 1.5)
    assert row.preview_key is None
    assert b64decode(row.peaks) == bytes(400)  # silence
    assert names(tmp_path / "media") == [f"{JOB}.wav"]


async def test_kept_twice_it_is_there_once(provider: Provider, storage: Storage, tmp_path: Path) -> None:
    source = provider.serve("out.png", samples.picture())
    first = await provider.importer.keep(JOB, 0, source, into(storage))
    second = await provider.importer.keep(JOB, 0, source, into(storage))
    assert _facts(first) == _facts(second)
    assert len(names(tmp_path / "media")) == 3


async def test_the_extension_is_that_of_the_bytes_not_of_the_name(provider: Provider, storage: Storage) -> None:
    source = provider.serve("out.png", samples.picture(form="WEBP"), "image/png")
    row = await provider.importer.keep(JOB, 0, source, into(storage))
    assert (row.key, row.media_type) == (f"{JOB}.webp", "image/webp")


async def test_a_drawing_is_kept_as_it_is(provider: Provider, storage: Storage) -> None:
    row = await provider.importer.keep(JOB, 0, provider.serve("a.svg", samples.SVG, "image/svg+xml"), into(storage))
    assert (row.key, row.kind) == (f"{JOB}.svg", "image")
    assert row.preview_key is None


async def test_text_becomes_a_file(provider: Provider, storage: Storage) -> None:
    row = await provider.importer.keep(JOB, 0, Text("<b>grüße</b>"), into(storage))
    assert (row.key, row.kind, row.media_type) == (f"{JOB}.txt", "text", "text/plain")
    assert await stored(storage, row.key) == "<b>grüße</b>".encode()
    row = await provider.importer.keep(JOB, 1, Text("{}", "json"), into(storage))
    assert (row.key, row.kind) == (f"{JOB}-1.json", "file")


async def test_a_data_url_is_kept_like_any_file(provider: Provider, storage: Storage) -> None:
    content = samples.picture(form="JPEG")
    source = Link(f"data:image/png;base64,{b64encode(content).decode()}")
    row = await provider.importer.keep(JOB, 0, source, into(storage))
    assert (row.key, row.bytes) == (f"{JOB}.jpg", len(content))


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        ("out.png", "text/html", samples.HTML),
        ("out", "image/png", samples.HTML),
        ("out.mp4", "", b'{"detail": "busy"}'),
        ("out.png", "image/png", b""),
        ("out.bin", "", b""),
        ("out.png", "image/png", samples.picture(900, 900)[:-300]),
        ("out", "IMAGE/PNG; charset=x", samples.HTML),
        ("out.png", "", samples.picture()[50:]),
        ("out", "image/webp", bytes(1000)),
        ("out.mp4", "video/mp4", samples.film()[:2000]),
    ],
    ids=[
        *("html by name", "html by header", "json", "empty", "empty file", "truncated"),
        *("html by loud header", "headless", "zeros", "truncated film"),
    ],
)
async def test_what_is_no_picture_is_not_kept_as_one(
    name: str, media_type: str, content: bytes, provider: Provider, storage: Storage, tmp_path: Path
) -> None:
    source = provider.serve(name, content, media_type)
    with pytest.raises(Failure) as caught:
        await provider.importer.keep(JOB, 0, source, into(storage))
    assert (caught.value.code, caught.value.passing) == ("output_unreadable", True)
    assert names(tmp_path / "media") == []


async def test_what_nobody_knows_is_kept_as_bytes_unless_it_is_said_to_be_a_picture(
    provider: Provider, storage: Storage
) -> None:
    source = provider.serve("weights.safetensors", bytes(1000), "image/x-exr")
    row = await provider.importer.keep(JOB, 0, source, into(storage))
    assert (row.key, row.kind) == (f"{JOB}.bin", "file")


@pytest.mark.parametrize("said", ["application/zip", "image/png"])
async def test_a_zip_bomb_is_kept_packed_as_it_came_whatever_it_is_said_to_be(
    said: str, provider: Provider, storage: Storage, tmp_path: Path
) -> None:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(20_000_000))
    row = await provider.importer.keep(JOB, 0, provider.serve("a", file.getvalue(), said), into(storage))
    assert (row.key, row.kind) == (f"{JOB}.zip", "file")
    assert row.preview_key is None
    assert await stored(storage, row.key) == file.getvalue()
    assert names(tmp_path / "media") == [f"{JOB}.zip"]


async def test_a_picture_of_too_many_pixels_is_not_kept(provider: Provider, storage: Storage, tmp_path: Path) -> None:
    bomb = bytearray(samples.picture(form="GIF"))
    bomb[6:10] = b"\xff" * 4  # claims 65535 pixels in each direction
    source = provider.serve("a.gif", bytes(bomb), "image/gif")
    with pytest.raises(Failure) as caught:
        await provider.importer.keep(JOB, 0, source, into(storage))
    assert (caught.value.code, caught.value.passing) == ("output_too_large", False)
    assert names(tmp_path / "media") == []
    assert names(settings.data_dir / "tmp") == []


async def test_the_excerpt_of_a_text_holds_nothing_that_a_database_refuses(
    provider: Provider, storage: Storage
) -> None:
    row = await provider.importer.keep(JOB, 0, Text("a\0b\ud800c"), into(storage))
    assert row.placeholder == "ab?c"
    assert await stored(storage, row.key) == b"a\0b?c"


async def test_what_is_too_large_is_not_kept(provider: Provider, storage: Storage, tmp_path: Path) -> None:
    for source in (provider.serve("a.png", samples.picture()), Text("x" * 1001)):
        with pytest.raises(Failure) as caught:
            await provider.importer.keep(JOB, 0, source, into(storage), max_bytes=1000)
        assert (caught.value.code, caught.value.passing) == ("output_too_large", False)
    assert names(tmp_path / "media") == []


async def test_storage_that_fails_is_a_failure_that_may_pass(
    provider: Provider, storage: Storage, tmp_path: Path
) -> None:
    (tmp_path / "media" / f"{JOB}.png").mkdir()
    source = provider.serve("a.png", samples.picture())
    with pytest.raises(Failure) as caught:
        await provider.importer.keep(JOB, 0, source, into(storage))
    assert (caught.value.code, caught.value.passing) == ("storage_unavailable", True)


async def test_a_name_that_leads_to_this_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, storage: Storage, tmp_path: Path
) -> None:
    asked = _resolving(monkeypatch, "127.0.0.1")
    async with outputs.files_client() as client:
        with pytest.raises(Failure) as caught:
            await Importer(client, DECODERS).keep(JOB, 0, Link(f"{HOST}/a.png"), into(storage))
    assert (caught.value.code, caught.value.passing) == ("output_host_refused", False)
    assert asked == ["xezq.replicate.delivery"]
    assert names(tmp_path / "media") == []


async def test_a_name_that_does_not_resolve_may_pass(monkeypatch: pytest.MonkeyPatch, storage: Storage) -> None:
    _resolving(monkeypatch)
    async with outputs.files_client() as client:
        with pytest.raises(Failure) as caught:
            await Importer(client, DECODERS).keep(JOB, 0, Link(f"{HOST}/a.png"), into(storage))
    assert (caught.value.code, caught.value.passing) == ("download_failed", True)


async def test_the_name_is_asked_for_once_and_only_that_answer_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> None:
    asked, connected = _resolving(monkeypatch, "8.8.8.8", "127.0.0.1"), []

    async def connect_tcp(_: object, host: str, *__: object) -> httpcore.AsyncNetworkStream:
        connected.append(host)
        raise httpcore.ConnectError("refused")

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
    async with outputs.files_client() as client:
        with pytest.raises(Failure) as caught:
            await Importer(client, DECODERS).keep(JOB, 0, Link(f"{HOST}/a.png"), into(storage))
    assert (caught.value.code, caught.value.passing) == ("download_failed", True)
    assert (asked, connected) == (["xezq.replicate.delivery"], ["8.8.8.8"])


async def test_the_files_client_carries_no_token() -> None:
    async with outputs.files_client() as client:
        assert "authorization" not in client.headers
        assert client.headers["accept-encoding"] == "identity"


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Make this machine's resolver return the next of these addresses for each lookup. Returns the names looked up."""
    asked, answers = [], list(addresses)

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[object]:
        asked.append(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _facts(row: Output) -> dict[str, object]:
    return {name: value for name, value in row.to_dict().items() if name != "id"}
