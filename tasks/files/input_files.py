"""Parameters that are files: find those of a model, recognize our own files, and send our files to Replicate."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from tasks.db.tables import Job, Output
from tasks.errors import Failure, Fault
from tasks.files import media_files, uploads
from tasks.files.download import Scratch
from tasks.files.media_types import MEDIA_TYPES
from tasks.files.storage import Storage, unavailable
from tasks.models.registry import Model
from tasks.models.schemas import Schema
from tasks.replicate.client import Replicate

MEDIA_PATH = re.compile(r"/media/([A-Za-z0-9-]{36,80}(?:\.[A-Za-z0-9]{1,10}){1,3})")
MAX_INLINE_BYTES = 256_000  # bytes; the largest file sent as a data: URL: Replicate requires an address for larger ones
PLACEHOLDER_ORIGIN = "https://darkroom.invalid"  # a prefix that turns our addresses into URLs that schemas accept


def takes_file(schema: Schema) -> bool:
    """Return whether a parameter is a file, or a list of files."""
    return schema.get("format") == "uri" or is_list(schema)


def is_list(schema: Schema) -> bool:
    """Return whether a parameter is a list of files."""
    items = schema.get("items")
    return isinstance(items, dict) and items.get("format") == "uri"


def key_of(value: object) -> str | None:
    """Return the name below /media/ if the value is the address of one of our files, else None."""
    match = MEDIA_PATH.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


async def faults(
    model: Model, prompt: str, parameters: Mapping[str, Any], sees_only: UUID | None = None
) -> list[Fault]:
    """Return everything that is wrong with a request for a model, including files of ours that do not exist.

    sees_only: the person whose results are all that there are for the requester; None for everyone's. Protects uploaded
    files from the sweep for a day, so that they last until the job exists.
    """
    files = dict(_files(model, parameters))
    found = model.faults(prompt, checkable(model, parameters))
    missing = [pointer for pointer, key in files.items() if not await _is_there(key, sees_only)]
    return [*found, *(Fault(pointer, "This file does not exist, or was deleted.") for pointer in missing)]


def checkable(model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with full URLs in place of our addresses, as the model's schema requires."""
    return _with(model, parameters, lambda address: PLACEHOLDER_ORIGIN + address)


async def sent(model: Model, arguments: Mapping[str, Any], storage: Storage, replicate: Replicate) -> dict[str, Any]:
    """Return the input as Replicate accepts it: our small files as data: URLs, larger ones through its files API.

    Raises Failure: input_gone, storage_unavailable, or the failure that Replicate's files API returns.
    """
    keys = set(dict(_files(model, arguments)).values())
    addresses = {f"/media/{key}": await _carried(key, storage, replicate) for key in keys}
    return _with(model, arguments, lambda address: addresses[address])


def names_of_ours(arguments: Mapping[str, Any]) -> Collection[str]:
    """Return the names of the inputs that hold our files. Replicate reports other addresses for them than we store."""
    return {
        name for name, value in arguments.items()
        if any(key_of(item) for item in (value if isinstance(value, list) else [value]))
    }  # fmt: skip


def _files(model: Model, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the pointer into the request's body, and the key, of each of our files."""
    for name, value in arguments.items():
        if takes_file(model.input_schema["properties"].get(name, {})):
            if key := key_of(value):
                yield f"/parameters/{name}", key
            for place, item in enumerate(value if isinstance(value, list) else []):
                if key := key_of(item):
                    yield f"/parameters/{name}/{place}", key


def _with(model: Model, arguments: Mapping[str, Any], address: Callable[[str], str]) -> dict[str, Any]:
    """Return the arguments with each of our addresses replaced."""

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [replaced(item) for item in value]
        return address(value) if key_of(value) else value

    properties = model.input_schema["properties"]
    return {
        name: replaced(value) if takes_file(properties.get(name, {})) else value for name, value in arguments.items()
    }


async def _is_there(key: str, sees_only: UUID | None) -> bool:
    if key.startswith(uploads.KEY_PREFIX):
        return await uploads.claim(key)
    try:
        job = UUID(key[:36])
    except ValueError:
        return False
    if sees_only is not None and not await Job.exists().where((Job.id == job) & (Job.owner == sees_only)):
        return False
    return await Output.exists().where((Output.job == job) & (Output.key == key))


async def _carried(key: str, storage: Storage, replicate: Replicate) -> str:
    """Return an address at which Replicate finds the file."""
    name = await media_files.find(key)
    if name is None:
        raise Failure("input_gone", "An input file no longer exists.")
    stored = await storage.head(name)
    if stored is None:  # a folder that is not mounted looks like this
        raise unavailable()
    media_type = MEDIA_TYPES.get(key.rpartition(".")[2], MEDIA_TYPES["bin"]).name.partition(";")[0]
    if stored.size > MAX_INLINE_BYTES:
        return await _handed_over(key, media_type, storage.read(name, 0, stored.size), stored.size, replicate)
    content = b"".join([piece async for piece in storage.read(name, 0, stored.size)])
    return f"data:{media_type};base64,{b64encode(content).decode()}"


async def _handed_over(
    key: str, media_type: str, content: AsyncIterator[bytes], size: int, replicate: Replicate
) -> str:
    with Scratch(size) as scratch:  # read completely first: storage and Replicate need not wait for each other
        async for piece in content:
            scratch.write(piece)
        scratch.file.seek(0)
        return await replicate.upload(key, media_type, scratch.file)
