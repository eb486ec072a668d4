"""The endpoints of /v1/files: files that clients upload as inputs."""

import msgspec
from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)
from starlette.requests import Request
from starlette.responses import Response

from tasks.standin.pages import answer, page
from tasks.standin.problems import Json, Problem, malformed, too_large
from tasks.standin.room import origin_of, room_of
from tasks.standin.timeline import timestamp
from tasks.standin.uploads import KEPT_FOR, LARGEST, Upload


async def upload(request: Request) -> Response:
    """Handle POST /files: a part `content`, and an optional part `metadata` in JSON."""
    room = room_of(request)
    parts = await _parts(request)
    if "content" not in parts:
        raise malformed("Missing content")
    head, content = parts["content"]
    try:
        metadata = msgspec.json.decode(parts["metadata"][1], type=Json) if "metadata" in parts else {}
    except (msgspec.DecodeError, RecursionError):
        raise malformed("metadata is not a JSON object") from None
    media_type = head.content_type or "application/octet-stream"
    kept = room.uploads.add(bytes(content), head.filename or "file", media_type, metadata, room.clock())
    return answer(_shown(request, kept), 201)


async def index(request: Request) -> Response:
    """Handle GET /files."""
    room = room_of(request)
    return page([_shown(request, kept) for kept in room.uploads.all(room.clock())])


async def get(request: Request) -> Response:
    """Handle GET /files/{id}."""
    return answer(_shown(request, _upload(request)))


async def remove(request: Request) -> Response:
    """Handle DELETE /files/{id}."""
    room_of(request).uploads.remove(_upload(request))
    return Response(status_code=204)


def _upload(request: Request) -> Upload:
    room = room_of(request)
    found = room.uploads.get(request.path_params["file"], room.clock())
    if found is None:
        raise Problem(404, {"detail": "File not found"})
    return found


async def _parts(request: Request) -> dict[str, tuple[MultipartSegment, bytearray]]:
    """Return the form's parts by name, with their bytes."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data" or "boundary" not in options:
        raise malformed("Expected multipart/form-data")
    parts: dict[str, tuple[MultipartSegment, bytearray]] = {}
    try:
        with PushMultipartParser(options["boundary"], max_segment_size=LARGEST) as parser:
            async for chunk in request.stream():
                if len(chunk) + sum(len(content) for _, content in parts.values()) > LARGEST:
                    raise too_large()
                _take(parser, chunk, parts)
    except MultipartError:
        raise malformed("The form cannot be read") from None
    return parts


def _take(parser: PushMultipartParser, chunk: bytes, parts: dict[str, tuple[MultipartSegment, bytearray]]) -> None:
    for event in parser.parse(chunk) if chunk else ():
        if isinstance(event, MultipartSegment):
            parts[event.name] = event, bytearray()
        elif event:
            [*parts.values()][-1][1].extend(event)


def _shown(request: Request, kept: Upload) -> Json:
    return {
        "id": kept.id,
        "name": kept.name,
        "content_type": kept.content_type,
        "size": kept.size,
        "etag": kept.md5,
        "checksums": {"sha256": kept.sha256, "md5": kept.md5},
        "metadata": kept.metadata,
        "created_at": timestamp(kept.created, "milliseconds"),
        "expires_at": timestamp(kept.created + KEPT_FOR, "milliseconds"),
        "urls": {"get": f"{origin_of(request)}/v1/files/{kept.id}"},
    }
