"""Storage in a bucket, on a real S3 server over plain HTTP, configured by the environment alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tasks.db.tables import Status
from tasks.errors import Failure
from tasks.files import library_mark
from tasks.files.storage import PIECE, Storage
from tasks.settings import ROOT
from tests import processes, servers
from tests.conftest import Faults
from tests.processes import Process
from tests.tasks.work import at_work, ended, stored, submitted
from tests.waiting import eventually
from webapp.cli.parent_watch import Tether

pytestmark = pytest.mark.once

LARGE = bytes(range(256)) * 4 * 1024 * 12 + b"the end"  # 12 MiB: more than obstore sends in one request


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run the server. Yields its address."""
    with servers.s3() as address:
        for bucket in ("darkroom", "another"):
            httpx.put(f"{address}/{bucket}").raise_for_status()
        yield address


@pytest.fixture
def environment(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what an operator sets for MinIO, Garage or Ceph in their own network."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")


@pytest.fixture
def storage(environment: None) -> Storage:
    return Storage.open("s3://darkroom/prints")


async def content(storage: Storage, key: str, start: int, end: int) -> bytes:
    return b"".join([piece async for piece in storage.read(key, start, end)])


async def test_files_are_put_found_read_in_parts_and_deleted(storage: Storage) -> None:
    await storage.put("small.txt", b"small")
    await storage.put("large.bin", LARGE)
    small, large = await storage.head("small.txt"), await storage.head("large.bin")
    assert small is not None
    assert large is not None
    assert (small.size, large.size) == (5, len(LARGE))
    assert small.etag != large.etag
    assert await content(storage, "large.bin", 0, large.size) == LARGE
    assert await content(storage, "large.bin", PIECE - 2, PIECE + 3) == LARGE[PIECE - 2 : PIECE + 3]
    assert await Storage.open("s3://darkroom").head("prints/small.txt") == small
    await storage.delete(["absent.txt", "small.txt", "large.bin"])
    assert await storage.head("small.txt") is None
    assert await storage.head("large.bin") is None


async def test_an_open_file_is_put_from_where_it_stands(storage: Storage, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"skipped" + LARGE)
    with path.open("rb") as file:
        file.seek(7)
        await storage.put("file.bin", file)
    assert await content(storage, "file.bin", 0, len(LARGE)) == LARGE


async def test_absent_files_are_absent_and_not_a_failure_until_they_are_read(storage: Storage) -> None:
    assert await storage.head("absent.png") is None
    await storage.delete(["absent.png"])
    with pytest.raises(Failure) as caught:
        await content(storage, "absent.png", 0, 1)
    assert caught.value.code == "storage_unavailable"


async def test_check_finds_nothing_wrong_and_a_sweep_nothing_to_do(storage: Storage) -> None:
    assert await storage.check() is None
    assert await storage.head(".probe") is None
    assert await storage.sweep(timedelta(0)) == 0


async def test_the_other_name_of_the_endpoint_does_as_well(
    environment: None, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT", server)
    assert await Storage.open("s3://darkroom").check() is None


async def test_plain_http_is_refused_unless_it_is_allowed(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(Failure):
        await Storage.open("s3://darkroom").put("a.txt", b"a")


CHECK = """
import asyncio
from tasks.settings import settings
from tasks.files.storage import Storage
print(asyncio.run(Storage.open(settings.storage_url).check()))
"""


def test_all_of_it_may_stand_in_the_env_file_and_the_environment_goes_first(server: str, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text(
        "STORAGE_URL=s3://darkroom/prints\nAWS_ENDPOINT_URL=http://127.0.0.1:1\nAWS_ACCESS_KEY_ID=an-id\n"
        "AWS_SECRET_ACCESS_KEY='a # secret'\nAWS_ALLOW_HTTP=true\n"
    )
    environment = {**os.environ, "DARKROOM_ENV_FILE": str(file), "AWS_ENDPOINT_URL": server}
    environment.pop("STORAGE_URL")
    command = [sys.executable, "-c", CHECK]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.stdout == "None\n", run.stderr


async def test_a_prompt_becomes_a_picture_in_the_bucket(new_library: None, environment: None, faults: Faults) -> None:
    bucket = Storage.open("s3://darkroom/a/library")
    async with at_work(storage=bucket):
        card = await ended(await submitted("a fox in a bucket"))
    assert card.job.status == Status.COMPLETED, card.job.error
    [output] = card.outputs
    assert Image.open(BytesIO(await stored(output.stored_key, bucket))).size == (64, 64)
    assert await Storage.open("s3://darkroom/a/library").mark() is not None


@pytest.fixture
def strict(server: str) -> Iterator[None]:
    """Make the server refuse keys that it does not know, which are all keys, while the test runs."""
    httpx.post(f"{server}/moto-api/reset-auth", content=b"0").raise_for_status()
    yield
    httpx.post(f"{server}/moto-api/reset-auth", content=b"inf").raise_for_status()


async def test_a_key_that_is_refused_is_told_as_the_server_tells_it(storage: Storage, strict: None) -> None:
    assert await library_mark.begin(storage) == "The AWS Access Key Id you provided does not exist in our records."


@pytest.mark.parametrize(
    ("part", "wrong", "says"),
    [
        ("web", {"STORAGE_URL": "s3://absent"}, "STORAGE_URL: The specified bucket does not exist"),
        ("worker", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "STORAGE_URL: "),
    ],
    ids=["bucket", "endpoint"],
)
async def test_a_wrong_bucket_or_endpoint_is_warned_of_in_one_line_and_stops_nothing(
    part: str, wrong: dict[str, str], says: str, environment: None, server: str, standin: str, tmp_path: Path
) -> None:
    address = {"STORAGE_URL": "s3://darkroom/wrong", "AWS_ENDPOINT_URL": server, **wrong}
    database = f"sqlite:///{tmp_path}/data/darkroom.sqlite"
    with servers.valkey() as redis, Tether() as tether:
        given = processes.environment(tmp_path, database, redis, standin, PORT=str(servers.free_port()), **address)
        process = Process(part, given, tether, tmp_path / "log")

        async def warned() -> bool:
            return says in process.log.read_text()

        process.start()
        try:
            await eventually(warned)
            assert process.code is None
            assert await process.stop()
        finally:
            process.kill()
    assert process.log.read_text().count("STORAGE_URL") == 1, process.log.read_text()
