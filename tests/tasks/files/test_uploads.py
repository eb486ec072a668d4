"""Files from users: stored once, measured, refused when unfit, and removed when unused."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Upload
from tasks.errors import Failure
from tasks.files import media_files, uploads
from tasks.files.decoder_pool import Decoded, DecoderPool
from tasks.files.storage import Storage
from tasks.files.uploads import Unfit
from tasks.jobs import lifecycle
from tasks.settings import settings
from tests.tasks.samples import HTML, SVG, film, picture
from tests.tasks.work import DECODERS, SDXL, stored

OLD = timedelta(days=2)


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


async def kept(content: bytes, max_bytes: int = 2**20, decoders: DecoderPool = DECODERS) -> Upload:
    return (await uploads.keep(pieces(content), Storage.open(settings.storage_url), decoders, max_bytes))[0]


async def is_there(key: str) -> bool:
    return await Storage.open(settings.storage_url).head(key) is not None


async def aged(upload: Upload) -> Upload:
    await Upload.update({Upload.created_at: now() - OLD}).where(Upload.key == upload.key)
    return upload


async def test_a_picture_is_kept_as_it_came_with_its_measures_and_a_preview() -> None:
    content = picture(300, 200)
    upload = await kept(content)
    assert await stored(upload.key) == content
    assert await is_there(uploads.preview_key(upload.key))
    assert (upload.media_type, upload.bytes, upload.width, upload.height) == ("image/png", len(content), 300, 200)


async def test_the_same_file_is_kept_once_and_its_day_begins_anew() -> None:
    first = await aged(await kept(picture(31, 32)))
    second = await kept(picture(31, 32))
    assert second.key == first.key
    assert await uploads.sweep(Storage.open(settings.storage_url)) == 0


class NoDecoders(DecoderPool):
    """A pool that must not be asked."""

    async def decode(self, *_: object) -> Decoded:
        raise AssertionError("it is known")


async def test_the_same_file_is_not_opened_again() -> None:
    first = await kept(picture(35, 32))
    assert (await kept(picture(35, 32), decoders=NoDecoders())).key == first.key


async def test_all_uploads_together_have_room_for_so_much() -> None:
    first, second = picture(36, 32), picture(37, 32)
    storage, quota = Storage.open(settings.storage_url), len(first) + len(second) - 1
    upload, _ = await uploads.keep(pieces(first), storage, DECODERS, quota=quota)
    with pytest.raises(Unfit) as refused:
        await uploads.keep(pieces(second), storage, DECODERS, quota=quota)
    assert refused.value.code == "uploads_full"
    assert [row["key"] for row in await Upload.select(Upload.key)] == [upload.key]
    assert (await uploads.keep(pieces(first), storage, DECODERS, quota=quota))[0].key == upload.key, (
        "it takes no more room"
    )
    await aged(upload)
    await uploads.sweep(storage)
    assert (await uploads.keep(pieces(second), storage, DECODERS, quota=quota))[1]


async def test_the_uploads_of_one_sender_have_room_for_so_much() -> None:
    first, second, storage = picture(36, 32), picture(37, 32), Storage.open(settings.storage_url)
    anna, ben, room = ids.new(), ids.new(), len(first) + len(second) - 1
    await uploads.keep(pieces(first), storage, DECODERS, sender=anna, quota_of_one=room)
    with pytest.raises(Unfit) as refused:
        await uploads.keep(pieces(second), storage, DECODERS, sender=anna, quota_of_one=room)
    assert refused.value.code == "uploads_full"
    assert (await uploads.keep(pieces(second), storage, DECODERS, sender=ben, quota_of_one=room))[1]
    assert (await uploads.keep(pieces(picture(38, 32)), storage, DECODERS, quota_of_one=room))[1], "the open house"


async def test_what_is_discarded_goes_unless_a_job_uses_it() -> None:
    used, unused = await kept(picture(38, 32)), await kept(picture(39, 32))
    await lifecycle.submit("a fox", SDXL, {"image": f"/media/{used.key}"})
    await uploads.discard([used.key, unused.key], Storage.open(settings.storage_url))
    assert [await is_there(upload.key) for upload in (used, unused)] == [True, False]
    assert {row["key"] for row in await Upload.select(Upload.key)} == {used.key}


async def test_what_is_deleted_goes_unless_a_job_uses_or_claims_it() -> None:
    storage, upload = Storage.open(settings.storage_url), await kept(picture(35, 36))
    before = await uploads.find(upload.key)
    assert before is not None
    assert await uploads.claim(upload.key)
    assert not await uploads.delete(before, storage)
    claimed = await uploads.find(upload.key)
    assert claimed is not None
    job = await lifecycle.submit("a fox", SDXL, {"image": f"/media/{upload.key}"})
    assert not await uploads.delete(claimed, storage)
    await lifecycle.cancel(job.id)
    await lifecycle.delete(job.id)
    assert await uploads.delete(claimed, storage)
    assert not await is_there(upload.key)
    assert await uploads.find(upload.key) is None


async def test_what_storage_does_not_remove_is_removed_by_the_next_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage.open(settings.storage_url)
    first, second = await kept(picture(48, 9)), await aged(await kept(picture(49, 9)))

    async def fail(_: object) -> None:
        raise Failure("storage_unavailable", "The storage for finished files is not available.", passing=True)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete", fail)
        await uploads.discard([first.key], storage)
        with pytest.raises(Failure):
            await uploads.sweep(storage)
    assert not await uploads.claim(first.key), "it is as good as gone"
    assert await media_files.find(first.key) is None
    again = await kept(picture(48, 9))
    assert again.key != first.key
    assert await uploads.sweep(storage) == 2
    assert [await is_there(upload.key) for upload in (first, second, again)] == [False, False, True]
    assert {row["key"] for row in await Upload.select(Upload.key)} == {again.key}


async def test_a_file_whose_bytes_are_gone_is_stored_again() -> None:
    first = await kept(picture(33, 32))
    await Storage.open(settings.storage_url).delete([first.key])
    again = await kept(picture(33, 32))
    assert await stored(again.key) == picture(33, 32)


async def test_films_are_taken_too() -> None:
    assert (await kept(film())).media_type == "video/mp4"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "upload_empty"),
        (SVG, "upload_type_refused"),
        (HTML, "upload_type_refused"),
        (picture(64, 64)[:200], "upload_unreadable"),
        (picture(10_000, 10_000, mode="L"), "upload_unreadable"),
        (os.urandom(2**20 + 1), "upload_too_large"),
    ],
    ids=["empty", "svg", "html", "damaged", "bomb", "large"],
)
async def test_what_is_unfit_is_refused_and_leaves_nothing(content: bytes, code: str) -> None:
    with pytest.raises(Unfit) as refused:
        await kept(content)
    assert refused.value.code == code
    assert await Upload.count() == 0


async def test_the_sweep_takes_what_nobody_uses_and_leaves_what_a_job_names() -> None:
    used, unused, young = (
        await aged(await kept(picture(41, 9))),
        await aged(await kept(picture(42, 9))),
        await kept(picture(43, 9)),
    )
    await lifecycle.submit("a fox", SDXL, {"image": f"/media/{used.key}"})
    assert await uploads.sweep(Storage.open(settings.storage_url)) == 1
    assert [await is_there(upload.key) for upload in (used, unused, young)] == [True, False, True]
    assert not await is_there(uploads.preview_key(unused.key))
    assert {row["key"] for row in await Upload.select(Upload.key)} == {used.key, young.key}


async def test_an_upload_that_is_claimed_outlasts_the_sweep() -> None:
    upload = await aged(await kept(picture(44, 9)))
    assert await uploads.claim(upload.key)
    assert await uploads.sweep(Storage.open(settings.storage_url)) == 0
    assert not await uploads.claim("upload-00000000-0000-0000-0000-000000000000.png")


async def test_an_upload_goes_once_its_last_job_was_deleted() -> None:
    upload = await aged(await kept(picture(45, 9)))
    job = await lifecycle.submit("a fox", SDXL, {"image": f"/media/{upload.key}"})
    await lifecycle.cancel(job.id)
    await lifecycle.delete(job.id)
    assert await uploads.sweep(Storage.open(settings.storage_url)) == 1
