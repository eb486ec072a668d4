"""Storage holds complete files, in a folder and in a store that is not a folder."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from obstore.store import MemoryStore, S3Store

from tasks.errors import Failure
from tasks.files.storage import MARK, PIECE, Storage
from tasks.settings import ROOT, SettingsError
from tests.waiting import eventually

pytestmark = pytest.mark.once


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    (tmp_path / "media").mkdir()
    return Storage.open(str(tmp_path / "media")) if request.param == "folder" else Storage(MemoryStore())


async def content(storage: Storage, key: str, start: int, end: int) -> bytes:
    return b"".join([piece async for piece in storage.read(key, start, end)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_was_put_is_read_back_in_parts_of_any_size(storage: Storage, tmp_path: Path) -> None:
    whole = bytes(range(256)) * (PIECE // 256) + b"the end"
    source = tmp_path / "source"
    source.write_bytes(whole)
    with source.open("rb") as file:
        await storage.put("a.bin", file)
    assert await content(storage, "a.bin", 0, len(whole)) == whole
    assert await content(storage, "a.bin", PIECE - 2, PIECE + 3) == whole[PIECE - 2 : PIECE + 3]
    assert await content(storage, "a.bin", 5, 5) == b""


async def test_all_files_are_listed_with_their_sizes_without_the_mark_and_half_written_ones(
    storage: Storage, tmp_path: Path
) -> None:
    await storage.make(b"mark")
    await storage.put("a.txt", b"one")
    await storage.put("b.txt", b"three")
    (tmp_path / "media").joinpath("c.txt#1").write_bytes(b"half")
    assert sorted([file async for portion in storage.listing() for file in portion]) == [("a.txt", 3), ("b.txt", 5)]


async def test_head_knows_size_and_an_etag_that_changes_with_the_file(storage: Storage) -> None:
    await storage.put("a.txt", b"one")
    before = await storage.head("a.txt")
    await storage.put("a.txt", b"three")
    after = await storage.head("a.txt")
    assert before is not None
    assert after is not None
    assert (before.size, after.size) == (3, 5)
    assert before.etag != after.etag
    assert before.etag.startswith('"')


async def test_absent_files_have_no_head_and_are_deleted_without_complaint(storage: Storage) -> None:
    await storage.put("a.txt", b"a")
    await storage.put("b.txt", b"b")
    await storage.delete(["absent.txt", "a.txt", "absent-too.txt", "b.txt"])
    assert await storage.head("a.txt") is None
    assert await storage.head("b.txt") is None


async def test_check_finds_nothing_wrong_and_leaves_nothing(storage: Storage) -> None:
    assert await storage.check() is None
    assert await storage.head(".probe") is None


@pytest.mark.parametrize("name", ["a b", "#1", "why?", "50%", "%20", "ü"])
async def test_a_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    for url in (f"{tmp_path}/{name}", f"file://{quote(str(tmp_path / name))}"):
        storage = Storage.open(url)
        await storage.put("a.txt", b"a")
        assert names(tmp_path) == [name]
        assert names(tmp_path / name) == ["a.txt"]
        assert await content(storage, "a.txt", 0, 1) == b"a"
        await storage.delete(["a.txt"])
        assert await storage.sweep() == 0


async def test_keys_cannot_leave_the_folder(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    with pytest.raises(ValueError, match=r"\.\."):
        await storage.put("../escaped.txt", b"x")
    assert not (tmp_path.parent / "escaped.txt").exists()


class Slow(BytesIO):
    """A file that is slow to read."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(0.02)
        return super().read(size)


async def test_a_reader_sees_the_old_file_or_the_new_one_never_a_half(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    old, new = b"o" * 8_000_000, b"n" * 8_000_000
    await storage.put("a.bin", old)
    replacing = asyncio.create_task(storage.put("a.bin", Slow(new)))
    seen = []
    while not replacing.done():
        seen.append((tmp_path / "a.bin").read_bytes())
        await asyncio.sleep(0)
    await replacing
    assert len(seen) > 1, "read while it was replaced"
    assert set(seen) <= {old, new}
    assert (tmp_path / "a.bin").read_bytes() == new
    assert names(tmp_path) == ["a.bin"]


async def test_a_put_that_is_called_off_stores_nothing_later_and_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    putting = asyncio.create_task(storage.put("a.bin", Slow(bytes(20 * PIECE))))

    async def is_under_way() -> bool:
        return names(tmp_path) != []

    await eventually(is_under_way)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    async def is_over() -> bool:
        return names(tmp_path) == []

    await eventually(is_over)


async def test_a_put_does_not_make_a_folder_that_goes_away_meanwhile(tmp_path: Path) -> None:
    class Unmounted(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            with suppress(FileNotFoundError):
                folder.rename(tmp_path / "elsewhere")
            return super().read(size)

    folder = tmp_path / "media"
    storage = Storage.open(str(folder))
    await storage.make(b"mark")
    with pytest.raises(Failure, match="not available"):
        await storage.put("a.bin", Unmounted(b"x"))
    with pytest.raises(Failure, match="not available"):
        await storage.put("a.bin", b"x")
    assert not folder.exists()


async def test_a_file_that_cannot_be_written_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(Failure) as caught:
        await storage.put("taken.png", b"x")
    assert (caught.value.code, caught.value.passing) == ("storage_unavailable", True)
    assert str(tmp_path) not in caught.value.message


PUT = """
import asyncio, concurrent.futures.thread, os, resource, sys  # now: later Python's own files may be out of reach
from pathlib import Path
from tasks.errors import Failure
from tasks.files.storage import Storage
storage, large = Storage.open(sys.argv[1]), open(sys.argv[2], "rb")
{before}
async def main():
    for content in (bytes(9_000_000), bytes(30_000_000), large):
        try:
            await storage.put("a.bin", content)
        except Failure as failure:
            print(failure.code, failure.passing, flush=True)
asyncio.run(main())
"""
FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (7_000_000, 7_000_000))"
READ_ONLY = "Path(sys.argv[1]).chmod(0o555); os.geteuid() or os.seteuid(65534)"  # for root, nothing is unwritable


@pytest.mark.parametrize("before", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_put_that_fails_is_a_failure_that_may_pass_and_leaves_what_was_there(before: str, tmp_path: Path) -> None:
    folder, large = tmp_path / "media", tmp_path / "large"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"old")
    large.write_bytes(bytes(20_000_000))
    run = subprocess.run(
        [sys.executable, "-c", PUT.format(before=before), str(folder), str(large)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout == "storage_unavailable True\n" * 3
    assert names(folder) == ["a.bin"]
    assert (folder / "a.bin").read_bytes() == b"old"


async def test_what_a_killed_writer_leaves_has_no_key_and_is_swept_once_it_is_old(tmp_path: Path) -> None:
    folder, large = tmp_path / "media", tmp_path / "large"
    storage = Storage.open(str(folder))
    folder.mkdir()
    with large.open("wb") as file:
        file.truncate(4_000_000_000)
    program = [sys.executable, "-c", PUT.format(before=""), str(folder), str(large)]
    writer = await asyncio.create_subprocess_exec(*program, cwd=ROOT)

    async def is_under_way() -> bool:
        with suppress(FileNotFoundError):  # a smaller file that was just finished
            return any("#" in path.name and path.stat().st_size > 31_000_000 for path in folder.iterdir())
        return False

    await eventually(is_under_way)
    writer.kill()
    await writer.wait()
    [whole, half] = names(folder)
    assert whole == "a.bin"
    assert half.startswith("a.bin#")
    before = await storage.head("a.bin")
    assert before is not None
    assert before.size == 30_000_000
    assert await storage.sweep() == 0
    assert names(folder) == ["a.bin", half]
    os.utime(folder / half, (1, 1))
    assert await storage.sweep() == 1
    assert names(folder) == ["a.bin"]


async def test_a_sweep_takes_only_what_looks_like_an_unfinished_file(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    for name in ("a.png", "a#1.png", ".probe", "a.png#1", ".probe#2", "b.mp4#30", "#1"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder#1").mkdir()
    (tmp_path / "link#1").symlink_to(tmp_path / "a.png")
    assert await storage.sweep(timedelta(seconds=-10)) == 3
    assert names(tmp_path) == ["#1", ".probe", "a#1.png", "a.png", "folder#1", "link#1"]


async def test_a_put_goes_on_beside_what_a_killed_writer_has_left(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    (tmp_path / "a.bin#1").write_bytes(b"half")
    await storage.put("a.bin", b"whole")
    assert (tmp_path / "a.bin").read_bytes() == b"whole"
    assert names(tmp_path) == ["a.bin", "a.bin#1"]


async def test_a_bucket_is_not_swept(tmp_path: Path) -> None:
    assert await Storage(MemoryStore()).sweep(timedelta(0)) == 0


async def test_a_folder_that_is_gone_is_a_failure_of_the_sweep_that_may_pass(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path / "media"))
    with pytest.raises(Failure) as caught:
        await storage.sweep()
    assert (caught.value.code, caught.value.passing) == ("storage_unavailable", True)


async def test_check_says_why_storage_cannot_be_used(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    (tmp_path / ".probe").mkdir()
    assert "directory" in str(await storage.check())


async def test_check_gives_up_on_a_store_that_does_not_answer() -> None:
    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(keep_silent, "127.0.0.1", 0) as server:
        endpoint = "http://{}:{}".format(*server.sockets[0].getsockname())
        store = S3Store(
            "bucket",
            endpoint=endpoint,
            access_key_id="id",
            secret_access_key="key",
            client_options={"allow_http": True},
        )
        storage = Storage(store)
        assert await storage.check(within=0.2) == "storage did not answer within 0.2 s"


def test_a_folder_is_opened_from_a_path_and_from_a_url_and_not_made(tmp_path: Path) -> None:
    assert Storage.open(str(tmp_path / "a" / "b")).name == f"{tmp_path}/a/b"
    assert Storage.open(f"file://{tmp_path}/c").name == f"{tmp_path}/c"
    assert names(tmp_path) == []


async def test_a_folder_that_is_not_mounted_takes_nothing_and_has_nothing_and_is_not_made(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "media", tmp_path / "elsewhere"
    storage = Storage.open(str(folder))
    await storage.make(b"mark")
    storage.ours = True
    await storage.put("a.txt", b"a")
    folder.rename(elsewhere)
    for there in (False, True):  # gone, like an unmounted disk; and empty, like its mount point
        if there:
            folder.mkdir()
        for asked in (storage.put("b.txt", b"b"), storage.head("a.txt"), storage.delete(["a.txt"])):
            with pytest.raises(Failure) as caught:
                await asked
            assert (caught.value.code, caught.value.passing) == ("storage_unavailable", True)
        assert str(await storage.check()) == f"{folder} is not this library's storage: is it mounted?"
        assert await storage.mark() is None
        assert folder.exists() is there
        assert not there or names(folder) == []
    folder.rmdir()
    elsewhere.rename(folder)
    await storage.put("b.txt", b"b")
    assert names(folder) == [MARK, "a.txt", "b.txt"]


async def test_what_is_no_longer_mounted_has_no_list_of_files(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path / "media"))
    await storage.make(b"mark")
    storage.ours = True
    (tmp_path / "media").rename(tmp_path / "elsewhere")
    with pytest.raises(Failure):
        _ = [portion async for portion in storage.listing()]


async def test_what_is_known_to_be_anothers_takes_nothing_and_has_nothing() -> None:
    storage = Storage(MemoryStore())
    storage.ours = False
    for asked in (storage.put("b.txt", b"b"), storage.head("a.txt")):
        with pytest.raises(Failure):
            await asked
    storage.ours = True
    await storage.put("b.txt", b"b")


async def test_a_mark_is_made_with_its_folder_written_and_read(tmp_path: Path) -> None:
    for storage in (Storage.open(str(tmp_path / "a" / "b")), Storage(MemoryStore())):
        assert await storage.mark() is None
        await storage.make(b"one")
        await storage.set_mark(b"two")
        assert await storage.mark() == b"two"
    assert names(tmp_path / "a" / "b") == [MARK]


async def test_a_mark_is_written_to_no_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        await Storage.open(str(tmp_path / "media")).set_mark(b"one")
    assert names(tmp_path) == []


def test_buckets_are_opened_without_asking_them() -> None:
    assert Storage.open("s3://bucket/prefix")
    assert Storage.open("gs://bucket")


@pytest.mark.parametrize("url", ["ftp://host/folder", "https://host/folder", "s3://", "az://container-without-account"])
def test_nonsense_is_told_with_the_name_of_the_setting(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^STORAGE_URL='[^\n]*$"):
        Storage.open(url)
