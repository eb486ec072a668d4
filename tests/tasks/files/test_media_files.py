"""An address below /media/ refers to a file that a row names, by the name that it has in storage."""

from collections.abc import AsyncIterator

import pytest

from tasks.db.tables import Job, Output, Upload
from tasks.files import media_files, uploads
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.settings import settings
from tests.tasks.samples import film, picture, sound
from tests.tasks.states import an_output, claimed
from tests.tasks.work import DECODERS

KEY = "019ab0c4-5d1e-7b36-9533-e50ac26d7632-1"


async def completed(key: str, preview_key: str | None = None) -> Job:
    """Complete a job with a file, and with a preview if `preview_key` is given."""
    job, output = await claimed(), an_output(key)
    output.preview_key, output.stored_preview_key = preview_key, preview_key and f"stored-{preview_key}"
    assert await lifecycle.complete(job, [output]) is not None
    return job


async def uploaded(content: bytes) -> str:
    async def whole() -> AsyncIterator[bytes]:
        yield content

    return (await uploads.keep(whole(), Storage.open(settings.storage_url), DECODERS))[0].key


async def test_a_thumbnail_is_found_where_there_is_one() -> None:
    await completed(f"{KEY}.png", f"{KEY}.preview.webp")
    assert await media_files.find(f"{KEY}.thumbnail.webp") is None
    await Output.update({Output.stored_thumbnail_key: "stored.thumbnail.webp"}, force=True)
    assert await media_files.find(f"{KEY}.thumbnail.webp") == "stored.thumbnail.webp"
    assert await media_files.find(f"{KEY}.preview.webp") == f"stored-{KEY}.preview.webp"


@pytest.mark.parametrize("extension", ["png", "jpg", "avif", "mp4", "mkv"])
async def test_a_file_and_its_preview_are_found(extension: str) -> None:
    await completed(f"{KEY}.{extension}", f"{KEY}.preview.webp")
    assert await media_files.find(f"{KEY}.{extension}") == f"stored-{KEY}.{extension}"
    assert await media_files.find(f"{KEY}.preview.webp") == f"stored-{KEY}.preview.webp"


async def test_what_no_row_names_is_none() -> None:
    await completed(f"{KEY}.mp3")
    for key in (f"stored-{KEY}.mp3", f"{KEY}.png", f"{KEY}.preview.webp", KEY, f"{KEY}.", "", "upload-.png"):
        assert await media_files.find(key) is None, key


async def test_a_file_of_several_jobs_is_there_until_the_last_of_them_is_deleted() -> None:
    both = [await completed(f"{KEY}.png", f"{KEY}.preview.webp") for _ in range(2)]
    for key in (f"{KEY}.png", f"{KEY}.preview.webp"):
        assert await media_files.find(key) is not None
    await lifecycle.delete(both[0].id)
    assert await media_files.find(f"{KEY}.png") is not None
    await lifecycle.delete(both[1].id)
    assert await Output.count() == 2, "nobody has cleared away yet"
    for key in (f"{KEY}.png", f"{KEY}.preview.webp"):
        assert await media_files.find(key) is None


@pytest.mark.parametrize(
    ("content", "previewed"), [(picture(), True), (film(), True), (sound(), False), (b"words", False)]
)
async def test_an_upload_is_found_and_its_preview_where_it_has_one(content: bytes, previewed: bool) -> None:
    key = await uploaded(content)
    assert await media_files.find(key) == key
    preview = uploads.preview_key(key)
    assert await media_files.find(preview) == (preview if previewed else None)
    assert await media_files.find(preview.replace("preview", "thumbnail")) is None
    await Upload.delete().where(Upload.key == key)
    assert await media_files.find(key) is None
    assert await media_files.find(preview) is None


async def test_a_file_that_an_earlier_version_stored_meanwhile_has_one_name_only() -> None:
    await completed(f"{KEY}.png", f"{KEY}.preview.webp")
    await Output.update({Output.stored_key: "", Output.stored_preview_key: None}, force=True)
    for key in (f"{KEY}.png", f"{KEY}.preview.webp"):
        assert await media_files.find(key) == key
