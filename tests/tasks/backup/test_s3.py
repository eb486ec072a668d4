"""Files in a bucket are backed up, restored into another one, and checked, on a real S3 server."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tasks.backup import backup, check
from tasks.db.tables import Output
from tasks.files import library_mark
from tasks.files.storage import PIECE
from tasks.settings import settings
from tests import servers
from tests.tasks.backup.places import Place, a_job_with, content_of, copied, ignored

pytestmark = pytest.mark.once

LARGE = bytes(range(256)) * (PIECE // 256) * 12 + b"the end"  # more than obstore sends in one request


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with servers.s3() as address:
        httpx.put(f"{address}/darkroom").raise_for_status()
        yield address


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set what reaches the server. Returns it for processes."""
    given = {
        "AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret",
        "AWS_REGION": "eu-central-1", "AWS_ALLOW_HTTP": "true",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


async def test_a_library_in_a_bucket_is_restored_into_another(
    new_library: None, bucket: dict[str, str], new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    here = Place(settings.database_url, tmp_path, {**bucket, "STORAGE_URL": "s3://darkroom/here"})
    there = Place(await new_database(), tmp_path / "there", {**bucket, "STORAGE_URL": "s3://darkroom/there"})
    assert await library_mark.begin(here.storage) is None
    await a_job_with(here.storage, LARGE)
    names = {output.stored_key for output in await Output.objects()}
    manifest = await backup.make(folder, here.database, here.storage, ignored, ignored)
    assert (manifest.files, manifest.bytes, copied(folder)) == (1, len(LARGE), names)
    await there.restored(folder)
    assert await content_of(there.storage, names.pop()) == LARGE
    for place in (here, there):
        ended = await place.run("check-files", "--hash")
        assert ended.code == 0, ended.output
    await there.storage.put("orphan.png", b"orphan")
    await here.storage.put("orphan.png", b"orphan")
    found = await check.check(here.database, here.storage, True, ignored, ignored)
    assert (found.files, found.orphans, found.missing) == (1, 1, 0)
