"""What handlers tell the OpenAPI document besides their signatures and docstrings, in Litestar's own terms."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from msgspec import Struct

from tasks.library.query import FIELDS, MAX_CONDITIONS, MAX_LENGTH
from webapp.schemas.codes import Code
from webapp.schemas.problems import PROBLEM_TYPE, ProblemDetails

JSON = "application/json"
ALWAYS = (Code.INTERNAL_ERROR, Code.DATABASE_UNAVAILABLE)
ACCESS = (
    Code.SIGN_IN_REQUIRED, Code.KEY_MISTYPED, Code.KEY_UNKNOWN, Code.KEY_REVOKED, Code.KEY_EXPIRED, Code.MISSING_SCOPE,
    Code.NOT_ALLOWED,
)  # fmt: skip
"""The errors of every request that needs a permission."""
BODY = (Code.MALFORMED_JSON, Code.CROSS_SITE, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE, Code.INVALID_REQUEST)
"""The errors of every request with a JSON body."""
CHECKED = (
    Code.INVALID_PROMPT, Code.INVALID_PARAMETERS, Code.UNKNOWN_MODEL, Code.INVALID_PRIORITY,
    Code.INVALID_FINISH_WITHIN, Code.INVALID_MADE_FROM, Code.INVALID_METADATA, Code.INVALID_WEBHOOK,
    Code.STORAGE_UNAVAILABLE,
    Code.MODEL_NOT_ALLOWED,
)  # fmt: skip
"""The errors of every request that is checked like one for jobs."""
HELD = (Code.BUDGET_EXCEEDED, Code.PRICE_UNKNOWN)
"""The errors of every request that makes jobs wait, for which money may have to be held."""
TERMS = (*CHECKED, Code.INVALID_CLIENT, Code.QUEUE_FULL, *HELD)
"""The errors of every request that submits jobs."""
ONCE = (Code.INVALID_IDEMPOTENCY_KEY, Code.IDEMPOTENCY_MISMATCH)
"""The errors of every request that can have an idempotency key."""
PROVIDER = (
    Code.PROVIDER_TIMEOUT, Code.PROVIDER_UNREACHABLE, Code.PROVIDER_ERROR, Code.PROVIDER_AUTH, Code.PROVIDER_BILLING,
    Code.RATE_LIMITED, Code.FORBIDDEN, Code.INVALID_INPUT, Code.INPUT_TOO_LARGE,
)  # fmt: skip
"""The errors of a request for which Replicate may have to be asked about a model."""
JOB = (Code.JOB_NOT_FOUND, Code.JOB_DELETED)
"""The errors of a request about a job."""


def problems(*codes: Code) -> dict[int, ResponseSpec]:
    """Return the responses of an operation that needs a permission, and may end with these errors."""
    return public_problems(*codes, *ACCESS)


def public_problems(*codes: Code) -> dict[int, ResponseSpec]:
    """Return the responses of an operation for everyone that may end with these errors, or with those of any."""
    by_status: dict[int, list[Code]] = defaultdict(list)
    for code in (*codes, *ALWAYS):
        by_status[code.status].append(code)
    return {
        status: ResponseSpec(
            data_container=ProblemDetails,
            generate_examples=False,
            description="\n".join(f"* `{code}`: {code.meaning}" for code in of_status),
            media_type=PROBLEM_TYPE,
            examples=[Example(id=code) for code in of_status],  # their values are in the document
        )
        for status, of_status in by_status.items()
    }


def answer(
    type_: Any, description: str, examples: Mapping[str, Struct] | None = None, media_type: str = JSON
) -> ResponseSpec:
    """Return a response of an operation. type_: what its body is; None when it has none. examples: by their names."""
    return ResponseSpec(
        data_container=type_,
        generate_examples=False,
        description=description,
        media_type=media_type,
        examples=[Example(id=name, value=msgspec.to_builtins(example)) for name, example in (examples or {}).items()],
    )


def takes(
    body: Any = None,
    examples: Mapping[str, object] | None = None,
    *,
    media_type: str = JSON,
    parameters: Sequence[Parameter] = (),
    path: str | None = None,
) -> dict[str, Any]:
    """Return the `opt` of a handler that reads its request itself.

    body: its type. examples: of the body, by their names. path: the address for programs, if its route has several.
    """
    taken = {"body": body, "examples": examples or {}, "media_type": media_type, "parameters": parameters, "path": path}
    return {name: value for name, value in taken.items() if value is not None}


def header(name: str, description: str) -> ResponseHeader:
    """Return a header of the response when all goes well."""
    return ResponseHeader(name=name, description=description, documentation_only=True)


def parameter(name: str, where: str, description: str, schema: Schema, *, required: bool = False) -> Parameter:
    """Return a parameter. where: path, query or header."""
    return Parameter(name=name, param_in=where, description=description, schema=schema, required=required)


REPLAYED = header("Idempotent-Replayed", "`true` if a request with the same key was carried out before.")
PREFERENCE_APPLIED = header("Preference-Applied", "`wait=N` if the request was made to wait.")
RATE_LIMIT = (
    header("RateLimit-Policy", "The limits of the key. Absent without a key."),
    header("RateLimit", "What is left of them. Absent without a key."),
)
FILE = header("Location", "The address of the file.")
RETRY_AFTER = header("Retry-After", "Seconds to wait before the next request. Absent once the job has ended.")
ETAG = header("ETag", "Send it in `If-None-Match` to get 304 if nothing has changed.")
LINK = header("Link", '`<...>; rel="next"`: the next page, if any.')

STRING = Schema(type=OpenAPIType.STRING)
UUID = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID, examples=["019ab0c4-5d1e-7b36-9533-e50ac26d7632"])
SEARCH = Schema(
    type=OpenAPIType.STRING, max_length=MAX_LENGTH, examples=['fox model:flux status:failed,canceled -"red fox"']
)
JOB_ID = parameter("job_id", "path", "A version 7 UUID: ids sort by creation time.", UUID, required=True)
BATCH_ID = parameter("batch_id", "path", "A version 7 UUID.", UUID, required=True)
CLIENT = parameter(
    "X-Client",
    "header",
    "The name of a client, for programs that share an address, in 1 to 100 visible ASCII characters. The queue serves "
    "clients in turns: up to eight names per address, and all its other names as one client. Default: the browser's "
    "session, otherwise one client for the address.",
    Schema(type=OpenAPIType.STRING, pattern="^[!-~]{1,100}$", examples=["nightly-report"]),
)
IDEMPOTENCY_KEY = parameter(
    "Idempotency-Key",
    "header",
    "A new key for each request, in 1 to 255 visible ASCII characters, quoted or not. A request that is repeated with "
    "its key makes nothing new: it gets what the first one made, as it is now, with `Idempotent-Replayed: true`. Keys "
    "are kept as long as what was made; those of requests that were refused are not kept.",
    Schema(type=OpenAPIType.STRING, min_length=1, max_length=257, examples=["order-17"]),
)
PREFER = parameter(
    "Prefer",
    "header",
    "`wait=N`: respond when the job has ended, or after N seconds, 1 to 60 (RFC 7240).",
    Schema(type=OpenAPIType.STRING, examples=["wait=20"]),
)
SEARCH_QUERY = parameter(
    "q",
    "query",
    "The search, as in the gallery's search box. Words match the beginnings of words in prompts and notes, `\"a "
    f'phrase"` matches exactly, a minus excludes. Fields: {", ".join(f"`{name}`" for name in FIELDS)}; a field with '
    f"several values, separated by commas, matches any of them. At most {MAX_CONDITIONS} terms and values. Default: "
    "all jobs.",
    SEARCH,
)
