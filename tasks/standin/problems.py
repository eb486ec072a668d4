"""Error responses in Replicate's own words: problem+json bodies as recorded from the real API."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

Json = dict[str, Any]


class Problem(Exception):
    """An error response. Bodies follow Replicate's OpenAPI document and recorded exchanges."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, headers

    def answer(self) -> Response:
        """Return the HTTP response."""
        body = msgspec.json.encode(self.body)
        return Response(body, self.status, headers=self.headers, media_type="application/problem+json")


def not_found() -> Problem:
    """Return the 404 for unknown predictions, models, and paths."""
    return Problem(404, {"detail": "The requested resource could not be found.", "status": 404})


def unauthenticated() -> Problem:
    """Return the 401 for a missing or wrong token."""
    detail = "You did not pass a valid authentication token"
    return Problem(401, {"title": "Unauthenticated", "detail": detail, "status": 401})


def invalid_version() -> Problem:
    """Return the 422 for a version that does not exist, and for a community model called by name."""
    detail = "The specified version does not exist (or perhaps you don't have permission to use it?)"
    return Problem(422, {"title": "Invalid version or not permitted", "detail": detail, "status": 422})


def invalid_fields(fields: list[dict[str, str]]) -> Problem:
    """Return the 422 that lists each invalid field: the type of the error, the field's path, and a description."""
    lines = (
        f"- {field['field']}: {field['description']}" if field["field"] else f"- {field['description']}"
        for field in fields
    )
    detail = "".join(f"{line}\n" for line in lines)
    return Problem(422, {"detail": detail, "status": 422, "title": "Input validation failed", "invalid_fields": fields})


def throttled(seconds: int) -> Problem:
    """Return the 429 whose body has the seconds to wait. The real API is not known to send Retry-After."""
    detail = f"Request was throttled. Your rate limit resets in ~{seconds}s."
    return Problem(429, {"detail": detail, "status": 429, "retry_after": seconds})


def too_large() -> Problem:
    """Return the 413 for a file that is too large."""
    return Problem(413, {"detail": "Files must be less than 100MB in size"})


def malformed(detail: str) -> Problem:
    """Return the 400 for a body that cannot be read."""
    return Problem(400, {"detail": detail, "status": 400})


def of_status(status: int) -> Problem:
    """Return the problem for any other status, with the body that Replicate sends with it."""
    details = {
        402: (
            "Insufficient credit",
            "You have insufficient credit to run this model. Go to "
            "https://replicate.com/account/billing#billing to purchase credit. Once you purchase credit, please wait "
            "a few minutes before trying again.",
        ),
        401: ("Unauthenticated", "You did not pass a valid authentication token"),
    }
    if status in details:
        title, detail = details[status]
        return Problem(status, {"title": title, "detail": detail, "status": status})
    words = {
        403: "You do not have permission to perform this action.",
        404: "The requested resource could not be found.",
        405: "Method not allowed",
    }
    return Problem(status, {"detail": words.get(status, "Internal server error"), "status": status})
