"""The Idempotency-Key header: a request that is repeated with its key makes nothing new.

Source: draft-ietf-httpapi-idempotency-key-header-07. The key may be quoted, as the draft has it, or not.
"""

import re
from typing import Any

import msgspec
from litestar import Request

from tasks.jobs import idempotency
from tasks.jobs.idempotency import Key
from tasks.models import strict_json
from tasks.models.strict_json import Malformed
from webapp.http.authentication import actor_of
from webapp.http.errors import Problem
from webapp.schemas.codes import Code

HEADER = "Idempotency-Key"
RAW = re.compile(r"[!-~]{1,255}")
QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\]){1,255})"')
REPLAYED = {"Idempotent-Replayed": "true"}


def key_of(request: Request[Any, Any, Any], body: object = None) -> Key | None:
    """Return the key of a request, or None when it has none. Raises Problem when it is not valid.

    body: what is requested, in JSON's types. The same request with another body is another one.
    """
    given = request.headers.getall(HEADER, [])
    if not given:
        return None
    text = given[0].strip()
    quoted = QUOTED.fullmatch(text)
    if len(given) > 1 or (text.startswith('"') and not quoted):
        raise _invalid()
    return named(re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text, request, body)


def named(key: str, request: Request[Any, Any, Any], body: object) -> Key:
    """Return the key of a request that names it elsewhere than in the header. The rest is as for key_of()."""
    if not RAW.fullmatch(key):
        raise _invalid()
    actor = actor_of(request)
    return idempotency.of(str(actor.key or actor.person or ""), key, request.method, request.url.path, body)


def _invalid() -> Problem:
    return Problem(Code.INVALID_IDEMPOTENCY_KEY, f"{HEADER} must have 1 to 255 visible ASCII characters.")


def said(body: msgspec.Struct) -> dict[str, Any]:
    """Return a body in JSON's types. Parameters are the same whether they were sent as an object or as a string."""
    members = msgspec.structs.asdict(body)
    if isinstance(members.get("parameters"), str):
        try:
            members["parameters"] = strict_json.decode(members["parameters"])
        except Malformed:
            return members  # which is refused
    return members
