"""Forms that come in: read piece by piece, with a limit to everything that has no file to go to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote_to_bytes

from litestar import Request
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.enums import RequestEncodingType
from litestar.types.empty import Empty
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from webapp.errors import Problem

MAX_FIELDS = 10_100  # 10,000 prints can be named one by one, see webapp/selection.py
MAX_FILES = 100
MAX_TEXT = 2**20  # bytes of all fields that are no files
STEP = 16 * 1024  # bytes that are taken apart until others have their turn

Fields = dict[str, Any]
"""The values of each field, in a list: str, or UploadFile."""


class FormRequest(Request[Any, Any, Any]):
    """A request whose form has its fields counted before they are taken apart.

    Litestar reads forms of any number of fields, holds their texts in memory up to the size of its largest file, and
    remembers the last thousand forms.
    """

    async def form(self) -> FormMultiDict:
        """The fields of the form. Raises Problem where they are too many or too long, or cannot be read.

        Files are closed when the request is answered.
        """
        if self._connection_state.form is Empty:
            content_type, options = self.content_type
            if content_type == RequestEncodingType.URL_ENCODED:
                self._connection_state.form = await _of_text(await self.body())
            elif content_type == RequestEncodingType.MULTI_PART:
                self._connection_state.form = await _of_parts(self.stream(), options.get("boundary", ""))
        return await super().form()


async def _of_text(body: bytes) -> Fields:
    if body.count(b"&") >= MAX_FIELDS:
        raise _too_many(MAX_FIELDS, "fields")
    fields: Fields = {}
    worked = 0
    for field in filter(None, body.replace(b"+", b" ").split(b"&")):
        name, _, value = field.partition(b"=")
        fields.setdefault(await _unquoted(name), []).append(await _unquoted(value))
        worked += len(field)
        if worked > STEP:
            worked = 0
            await asyncio.sleep(0)
    return fields


async def _unquoted(text: bytes) -> str:
    """The text without its %-escapes, none of which is cut in two."""
    pieces = []
    while len(text) > STEP:
        begun = text.find(b"%", STEP - 2, STEP)
        end = STEP if begun == -1 else begun
        pieces.append(unquote_to_bytes(text[:end]))
        text = text[end:]
        await asyncio.sleep(0)
    return b"".join([*pieces, unquote_to_bytes(text)]).decode(errors="replace")


async def _of_parts(pieces: AsyncIterator[bytes], boundary: str) -> Fields:
    form = _Parts()
    try:
        with PushMultipartParser(boundary, max_segment_count=MAX_FIELDS) as parser:
            async for piece in pieces:
                for event in parser.parse(piece):
                    await form.take(event)
        return form.fields
    except ParserLimitReached as error:
        await form.close()
        raise Problem(413, "too_many_fields", f"The form has more than {MAX_FIELDS:,} fields.") from error
    except (MultipartError, UnicodeError) as error:
        await form.close()
        raise Problem(400, "bad_request", "The form is not valid multipart/form-data in UTF-8.") from error
    except BaseException:
        await form.close()
        raise


class _Parts:
    """The parts of a form, put together from what a parser finds: a part's head, its bytes, and None at its end."""

    def __init__(self) -> None:
        self.fields: Fields = {}
        self._name = ""
        self._value: UploadFile | bytearray = bytearray()
        self._files: list[UploadFile] = []
        self._text = 0

    async def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        """Add what was found. Raises Problem where that is too much, and UnicodeError."""
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            value = self._value
            if isinstance(value, UploadFile):
                await value.seek(0)
            self.fields.setdefault(self._name, []).append(value if isinstance(value, UploadFile) else value.decode())
        elif isinstance(self._value, UploadFile):
            await self._value.write(event)
        else:
            self._text += len(event)
            if self._text > MAX_TEXT:
                raise Problem(413, "body_too_large", "The form's fields that are no files are larger than 1 MiB.")
            self._value += event

    async def close(self) -> None:
        """Close all files."""
        for file in self._files:
            await file.close()

    def _begin(self, part: MultipartSegment) -> None:
        self._name, self._value = part.name, bytearray()
        if part.filename:
            if len(self._files) == MAX_FILES:
                raise _too_many(MAX_FILES, "files")
            self._value = UploadFile(part.content_type or "application/octet-stream", part.filename)
            self._files.append(self._value)


def _too_many(limit: int, what: str) -> Problem:
    return Problem(413, "too_many_fields", f"The form has more than {limit:,} {what}.")
