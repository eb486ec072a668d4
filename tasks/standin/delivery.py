"""The file host: drawings are made when they are first requested, and then stored."""

import asyncio
import hashlib
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from PIL import Image, UnidentifiedImageError
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from tasks.standin import outputs
from tasks.standin.predictions import Record, write
from tasks.standin.problems import not_found
from tasks.standin.room import Room, room_of
from tasks.standin.timeline import outcome, removed


async def output(request: Request) -> Response:
    """Handle GET /files-delivery/{id}/{name} like replicate.delivery: without a token, and for an hour."""
    room, name = room_of(request), request.path_params["name"]
    record = room.predictions.get(request.path_params["id"])
    if record is None or not _there(room, record, name):
        return Response("Not Found", 404, media_type="text/plain")
    path = await developed(room, record, name)
    etag = await asyncio.to_thread(_md5, path)
    headers = {"etag": f'"{etag}"', "cache-control": "public,max-age=3600", "access-control-allow-origin": "*"}
    return FileResponse(path, media_type=outputs.MEDIA_TYPES[name.rpartition(".")[2]], headers=headers)


async def inline(room: Room, record: Record) -> list[str]:
    """Return all files of the prediction as data: URLs."""
    urls = []
    for name in outputs.names(record):
        content = (await developed(room, record, name)).read_bytes()
        urls.append(f"data:{outputs.MEDIA_TYPES[name.rpartition('.')[2]]};base64,{b64encode(content).decode()}")
    return urls


async def developed(room: Room, record: Record, name: str) -> Path:
    """Return the path of the file. Draws it first if this is the first request for it."""
    path = _path(room, record, name)
    if not path.exists():
        async with room.easels:
            await asyncio.to_thread(_draw, room, record, name)
    return path


async def page(request: Request) -> Response:
    """Handle GET /p/{id}: redirect from the prediction's web page to its first file."""
    record = room_of(request).predictions.get(request.path_params["id"])
    if record is None:
        raise not_found()
    return RedirectResponse(f"/files-delivery/{record.id}/{outputs.names(record)[0]}")


async def tidy(room: Room) -> None:
    """Delete the drawings that may no longer be requested, now and every ten minutes."""
    while True:
        now = room.clock()
        for record in room.predictions:
            if removed(record, now):
                for name in outputs.names(record):
                    _path(room, record, name).unlink(missing_ok=True)
        await asyncio.sleep(600)


def _there(room: Room, record: Record, name: str) -> bool:
    now = room.clock()
    return name in outputs.names(record) and outcome(record, now)[0] == "succeeded" and not removed(record, now)


def _path(room: Room, record: Record, name: str) -> Path:
    return room.predictions.folder / f"{record.id}-{name}"


def _draw(room: Room, record: Record, name: str) -> None:
    path = _path(room, record, name)
    if not path.exists():
        write(path, outputs.render(record, name, lambda url: _picture(room, url)))


def _picture(room: Room, url: str) -> Image.Image | None:
    """Return the picture in a data: URL or in one of the stand-in's own files. Fetches nothing from elsewhere."""
    try:
        content = _data(url) if url.startswith("data:") else _own(room, urlsplit(url).path.split("/"))
        if content is None:
            return None
        picture = Image.open(BytesIO(content))
        picture.load()
    except (UnidentifiedImageError, OSError, ValueError):
        return None
    return picture


def _data(url: str) -> bytes:
    head, _, data = url.partition(",")
    return b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)


def _own(room: Room, path: list[str]) -> bytes | None:
    match path[1:]:
        case ["v1", "files", file]:
            upload = room.uploads.get(file, room.clock())
            return room.uploads.content(upload) if upload else None
        case ["files-delivery", prediction, name]:
            record = room.predictions.get(prediction)
            if record is None or not _there(room, record, name):
                return None
            _draw(room, record, name)
            return _path(room, record, name).read_bytes()
        case _:
            return None


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
