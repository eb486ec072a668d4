"""What goes wrong, in Replicate's own words: problem+json bodies as recorded from the real API."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

Json = dict[str, Any]


class Problem(Exception):
    """An answer that is no success. Bodies as in Replicate's OpenAPI document and in recorded exchanges."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, headers

    def answer(self) -> Response:
        """The HTTP response."""
        body = msgspec.json.encode(self.body)
        return Response(body, self.status, headers=self.headers, media_type="application/problem+json")


def not_found() -> Problem:
    """404, as for unknown predictions, models, and paths."""
    return Problem(404, {"detail": "The requested resource could not be found.", "status": 404})


def unauthenticated() -> Problem:
    """401, for a missing or wrong token."""
    detail = "You did not pass a valid authentication token"
    return Problem(401, {"title": "Unauthenticated", "detail": detail, "status": 401})


def invalid_version() -> Problem:
    """422, for a version that does not exist, and for community models called by name."""
    detail = "The specified version does not exist (or perhaps you don't have permission to use it?)"
    return Problem(422, {"title": "Invalid version or not permitted", "detail": detail, "status": 422})


def invalid_fields(fields: list[dict[str, str]]) -> Problem:
    """422, with each field that is wrong: its type, its place and a sentence."""
    lines = (
        f"- {field['field']}: {field['description']}" if field["field"] else f"- {field['description']}"
        for field in fields
    )
    detail = "".join(f"{line}\n" for line in lines)
    return Problem(422, {"detail": detail, "status": 422, "title": "Input validation failed", "invalid_fields": fields})


def throttled(seconds: int) -> Problem:
    """429, with the seconds to wait. The body tells them; the real API is not known to send Retry-After."""
    detail = f"Request was throttled. Your rate limit resets in ~{seconds}s."
    return Problem(429, {"detail": detail, "status": 429, "retry_after": seconds})


def too_large() -> Problem:
    """413, for a file that is too large."""
    return Problem(413, {"detail": "Files must be less than 100MB in size"})


def malformed(detail: str) -> Problem:
    """400, for a body that cannot be read."""
    return Problem(400, {"detail": detail, "status": 400})


def of_status(status: int) -> Problem:
    """Any other status, with the body that Replicate sends with it."""
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
