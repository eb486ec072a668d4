"""Draws the files of made-up jobs: about a hundred, drawn once by the stand-in's drawing code, shared by many jobs."""

import asyncio
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import IO, Any
from uuid import UUID

from tasks.db.tables import Output
from tasks.demo import words
from tasks.files import outputs
from tasks.files.decoder_pool import DecoderPool
from tasks.files.storage import Storage
from tasks.standin.drawing.film import film
from tasks.standin.drawing.picture import draw, encode
from tasks.standin.drawing.sound import sound

RATIOS = {"1:1": (512, 512), "3:2": (768, 512), "2:3": (512, 768), "16:9": (768, 432), "9:16": (432, 768)}
FORMATS = {"webp": "image/webp", "jpg": "image/jpeg", "png": "image/png"}
PICTURES = 2  # per subject
FILMS = words.SUBJECTS[::10]  # subjects that have a film
FILM_SIZE = (480, 270)
SOUNDS = 4
SOUND_SECONDS = 4.0
EASELS = 4  # concurrent drawings


Row = dict[str, Any]
"""Values by column name."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture. ratio: one of RATIOS. output: its row, without its id and its job."""

    ratio: str
    output: Row


@dataclass(frozen=True, slots=True)
class Shelf:
    """All drawn files, by subject."""

    pictures: dict[str, list[Picture]]
    films: dict[str, Row]
    sounds: list[Row]


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A file still to be drawn. id: replaces a job's id, and has another UUID version, so that files never collide."""

    media_type: str
    draw: Callable[[], bytes]
    id: UUID


async def draw_all(storage: Storage, chance: Random) -> Shelf:
    """Draw every file into storage, with its preview. The same `chance` gives the same files under the same keys.

    Raises Failure when storage does not accept them.
    """

    def drawing(media_type: str, draw: Callable[[], bytes]) -> _Drawing:
        return _Drawing(media_type, draw, UUID(int=chance.getrandbits(128), version=4))

    subjects = [subject for subject in words.SUBJECTS for _ in range(PICTURES)]
    ratios, extensions = chance.choices(list(RATIOS), k=len(subjects)), chance.choices(list(FORMATS), k=len(subjects))
    drawings = [
        drawing(FORMATS[extension], partial(_picture, words.prompt(chance, subject), ratio, extension))
        for subject, ratio, extension in zip(subjects, ratios, extensions, strict=True)
    ]
    drawings += [drawing("video/mp4", partial(film, words.prompt(chance, name), 0, FILM_SIZE)) for name in FILMS]
    drawings += [
        drawing("audio/mpeg", partial(sound, words.music(chance), number, SOUND_SECONDS, "mp3", 1))
        for number in range(SOUNDS)
    ]
    kept = iter(await _keep(drawings, storage))
    pictures: dict[str, list[Picture]] = defaultdict(list)
    for subject, ratio in zip(subjects, ratios, strict=True):
        pictures[subject].append(Picture(ratio, next(kept)))
    return Shelf(pictures, dict(zip(FILMS, kept)), list(kept))  # noqa: B905 (more follow)


def _picture(prompt: str, ratio: str, extension: str) -> bytes:
    return encode(draw(prompt, 0, RATIOS[ratio]), extension, 80)


async def _keep(drawings: Iterable[_Drawing], storage: Storage) -> list[Row]:
    """Draw the files and store them as results are stored, a few at a time. Returns their rows in order."""
    easels = asyncio.Semaphore(EASELS)

    async def store(files: Mapping[str, IO[bytes] | bytes]) -> dict[str, str]:
        for key, content in files.items():  # under their own names: drawn again, they are the same
            await storage.put(key, content)
        return {key: key for key in files}

    async def keep(drawing: _Drawing) -> Row:
        async with easels:
            content = b64encode(await asyncio.to_thread(drawing.draw)).decode()
            link = outputs.Link(f"data:{drawing.media_type};base64,{content}")
            output = await importer.keep(drawing.id, 0, link, store)
        return {column._meta.name: output[column._meta.name] for column in Output._meta.columns}

    with closing(DecoderPool()) as decoders:
        async with outputs.files_client() as client:
            importer = outputs.Importer(client, decoders)
            return await asyncio.gather(*map(keep, drawings))
