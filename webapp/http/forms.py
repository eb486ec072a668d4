"""Incoming forms: parsed piece by piece, with a limit on everything that is not written to a file."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote_to_bytes

from litestar import Request
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.enums import RequestEncodingType
from litestar.types.empty import Empty
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from webapp.http.errors import Problem
from webapp.schemas.codes import Code

MAX_FIELDS = 10_100  # 10,000 prints can be named one by one, see webapp/edit/selection.py
MAX_FILES = 100
MAX_TEXT_BYTES = 2**20  # bytes of all fields that are not files
PARSED_BYTES = 16 * 1024  # bytes that are parsed before other tasks may run

Fields = dict[str, Any]
"""The values of each field in a list: str or UploadFile."""


class FormRequest(Request[Any, Any, Any]):
    """A request that counts the fields of its form before it parses them.

    Litestar accepts any number of fields, holds their text in memory up to the maximum size of a file, and caches the
    last thousand forms.
    """

    async def form(self) -> FormMultiDict:
        """Return the fields of the form. Raises Problem when they are too many or too long, or cannot be parsed.

        The files are closed after the response.
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
        if worked > PARSED_BYTES:
            worked = 0
            await asyncio.sleep(0)
    return fields


async def _unquoted(text: bytes) -> str:
    """Return the text with its %-escapes decoded, piece by piece. No piece ends within an escape."""
    pieces = []
    while len(text) > PARSED_BYTES:
        begun = text.find(b"%", PARSED_BYTES - 2, PARSED_BYTES)
        end = PARSED_BYTES if begun == -1 else begun
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
        raise _too_many(MAX_FIELDS, "fields") from error
    except (MultipartError, UnicodeError) as error:
        await form.close()
        raise Problem(Code.BAD_REQUEST, "The form is not valid multipart/form-data in UTF-8.") from error
    except BaseException:
        await form.close()
        raise


class _Parts:
    """The parts of a form, assembled from a parser's events: a part's head, its bytes, and None at its end."""

    def __init__(self) -> None:
        self.fields: Fields = {}
        self._name = ""
        self._value: UploadFile | bytearray = bytearray()
        self._files: list[UploadFile] = []
        self._text = 0

    async def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        """Add an event. Raises Problem when the form gets too large, and UnicodeError when a text is not UTF-8."""
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
            if self._text > MAX_TEXT_BYTES:
                raise Problem(Code.BODY_TOO_LARGE, "The form's text fields are larger than 1 MiB.")
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
    return Problem(Code.TOO_MANY_FIELDS, f"The form has more than {limit:,} {what}.")
