"""POST /webhooks/replicate: receives Replicate's reports. GET /webhooks/secret: the secret that signs ours for jobs."""

from typing import Annotated, Any

from litestar import Request, Response, post, route
from litestar.di import NamedDependency
from msgspec import Meta

from tasks.predictions.webhooks import Forged, Malformed, Signatures, may_be_signed, take
from tasks.webhooks import signing
from webapp.http.authentication import actor_of
from webapp.http.bodies import in_file
from webapp.http.errors import AnyRequest, Problem
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.webhooks import SigningSecret

MAX_DELIVERY = 16 * 2**20  # bytes; outputs may be data: URLs


PARAMETERS = [
    describe.parameter(
        "attempt", "query", "The attempt that the prediction belongs to, as sent to Replicate.", describe.UUID
    ),
    describe.parameter(
        "webhook-id", "header", "The id of the message, the same for every delivery.", describe.STRING, required=True
    ),
    describe.parameter(
        "webhook-timestamp", "header", "When the message was sent, in Unix seconds.", describe.STRING, required=True
    ),
    describe.parameter(
        "webhook-signature",
        "header",
        "Signatures, each `v1,` followed by base64, separated by spaces.",
        describe.STRING,
        required=True,
    ),
]
Prediction = Annotated[dict[str, Any], Meta(description="A prediction, as in Replicate's API.")]


@post(
    "/webhooks/replicate",
    status_code=204,
    request_max_body_size=MAX_DELIVERY,
    name="receive_webhook",
    tags=["Webhooks"],
    summary="Receive webhooks from Replicate",
    response_description="Accepted.",
    responses=describe.public_problems(
        Code.NOT_SIGNED, Code.BAD_REQUEST, Code.CROSS_SITE, Code.BODY_TOO_LARGE, Code.WEBHOOK_KEY_UNKNOWN
    ),
    opt=describe.takes(Prediction, parameters=PARAMETERS),
)
async def from_replicate(request: Request[Any, Any, Any], signatures: NamedDependency[Signatures]) -> None:
    """Accept a webhook of Replicate, which gets this address if `PUBLIC_URL` is set.

    Its signature is verified (Standard Webhooks, 300 s tolerance), and the body only makes a worker check its
    prediction sooner. One that is no longer relevant is accepted too, so that it is not sent again.
    """
    try:
        may_be_signed(request.headers)
        file = await in_file(request)  # not in memory: its sender is not known before
        try:
            body = await file.read()
        finally:
            await file.close()
        await signatures.verify(body, request.headers)
        await take(request.headers["webhook-id"], body, request.query_params.get("attempt", ""))
    except Forged as forged:
        raise Problem(Code.NOT_SIGNED, "This does not come from Replicate.") from forged
    except Malformed as malformed:
        raise Problem(Code.BAD_REQUEST, str(malformed)) from malformed


@route(
    "/webhooks/secret",
    http_method=READ,
    name="signing_secret",
    tags=["Webhooks"],
    summary="Get the secret that signs webhooks of jobs",
    responses=describe.problems() | {200: describe.answer(SigningSecret, "The secret.", examples.SIGNING_SECRET)},
)
async def secret(request: AnyRequest) -> Response[SigningSecret]:
    """Return the secret that signs what is told of the jobs of the key's owner at their own `webhook`.

    Endpoints have other secrets, each its own. While it is rotated, the one before signs, too, for a day.
    """
    return Response(SigningSecret(await signing.secret_of_jobs(actor_of(request).person)), headers=NO_STORE)


ROUTES = [from_replicate, secret]
