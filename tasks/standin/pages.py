"""JSON responses, and lists in pages with a cursor, in Replicate's format."""

from base64 import b64decode, b64encode
from re import fullmatch
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tasks.standin.problems import malformed
from tasks.standin.room import origin_of

PAGE = 100


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(msgspec.json.encode(content), status, headers=headers, media_type="application/json")


def page(results: list[Any], following: str | None = None, previous: str | None = None) -> Response:
    """Return one page of a list. following, previous: the URLs of the adjacent pages."""
    return answer({"next": following, "previous": previous, "results": results})


def span(moments: list[int], cursor: str | None) -> tuple[int, int]:
    """Return the start and end of the page as indices into `moments`, which run from newest to oldest."""
    if cursor is None:
        return 0, min(PAGE, len(moments))
    try:
        found = fullmatch(r"(r=1&)?p=(\d+)", b64decode(cursor).decode())
    except ValueError:
        found = None
    if found is None:
        raise malformed("Invalid cursor")
    place = int(found[2])
    if found[1]:
        end = sum(moment > place for moment in moments)
        return max(0, end - PAGE), end
    start = sum(moment >= place for moment in moments)
    return start, min(start + PAGE, len(moments))


def link(request: Request, cursor: str) -> str:
    """Return the URL of the page at this cursor. The rest of the query is unchanged."""
    query = {**request.query_params, "cursor": b64encode(cursor.encode()).decode()}
    return f"{origin_of(request)}{request.url.path}?{urlencode(query)}"
