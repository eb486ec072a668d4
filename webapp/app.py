"""Assemble the web application from its parts in create_app(). No other module knows all of them."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any

from litestar import Litestar, Request, Response, route
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import Message, Scope

from tasks.accounts.passwords import Passwords
from tasks.background import alongside
from tasks.db import database
from tasks.files import library_mark
from tasks.files.decoder_pool import DecoderPool
from tasks.files.storage import Storage
from tasks.library.prediction_shape import ROOT as REPLICATE_ROOT
from tasks.messaging import events
from tasks.messaging.broker import broker
from tasks.predictions.webhooks import Signatures
from tasks.replicate.client import Replicate
from tasks.settings import settings
from tasks.tracing import endpoint, spans
from webapp.accounts import account, people, settings_page, sign_in, token
from webapp.api import estimate, generate, jobs, recent, webhooks, xmp
from webapp.composer import prompts, reuse, uploads
from webapp.doors import mcp, openai, openai_answers, replicate_problems
from webapp.doors import replicate as replicate_door
from webapp.edit import archive, curation, selection
from webapp.edit import jobs as job_actions
from webapp.gallery import (
    batches,
    collections,
    compare,
    gallery,
    lightbox,
    queue_page,
    refine,
    saved_searches,
    view_menu,
)
from webapp.http import access, health, media, static
from webapp.http.authentication import Authentication, recognize
from webapp.http.bodies import MAX_BODY_BYTES, BoundedBodies
from webapp.http.csrf import OurOwnOnly
from webapp.http.errors import EXCEPTION_HANDLERS, Problem
from webapp.http.etag import revalidated, revalidated_json
from webapp.http.forms import FormRequest
from webapp.http.methods import READ, AllowedMethods
from webapp.http.request_ids import RequestIds
from webapp.http.request_metrics import RequestMetrics
from webapp.http.request_spans import RequestSpans
from webapp.live import job_events, stream
from webapp.live.board import Board
from webapp.live.hub import Hub
from webapp.models import changes, models, preset_routes
from webapp.operate import actions as operate_actions
from webapp.operate import metrics
from webapp.operate import page as operate_page
from webapp.operate.page import OperatePage
from webapp.render import templates
from webapp.render.appearance import Appearing
from webapp.schemas.codes import Code
from webapp.schemas.document import Document, document
from webapp.spend import budget_forms, price_list, spend
from webapp.webhooks import deliveries as webhook_deliveries
from webapp.webhooks import forms as webhook_forms
from webapp.webhooks import webhooks as webhook_page

UNCOMPRESSED = [
    "^/events", "^/mcp", "^/media/", "^/selection.zip", "^/static/", "^/generate$", "^/status/", "^/jobs.json$",
    r"^/batches/.*\.json$", "^/jobs/[^/]+/events$", "^/operate/events$", "^/v1/images/",
]  # fmt: skip
"""Paths whose responses are already compressed, streamed, short, or so long that compression would delay all others."""
NEVER_COMPRESSED = re.compile("|".join(UNCOMPRESSED))

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "manifest-src 'self'"
)
SECURITY_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def create_app(start_again: token.StartAgain | None = None) -> Litestar:
    """Return the web application. start_again: starts all of Darkroom again with a token, where that can be done."""
    replicate, storage = Replicate(), Storage.open(settings.storage_url)
    operated, requests = OperatePage(storage), RequestMetrics()
    board = Board(operated.fragment, operated.pulse)
    hub = Hub([board])
    signatures, decoders, hasher = Signatures(replicate), DecoderPool(), Passwords()

    @asynccontextmanager
    async def alive(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(spans.recording("darkroom-web"))
            await stack.enter_async_context(database.connected())
            stack.push_async_callback(replicate.aclose)
            stack.callback(decoders.close)
            stack.push_async_callback(broker.shutdown)
            stack.push_async_callback(events.close)
            await library_mark.begin(storage)
            watch = library_mark.keep_watch(storage, alive=False)
            duties = (hub.listen(), hub.pass_on(), hub.recheck(), board.keep_telling(), watch)
            await stack.enter_async_context(alongside(*duties))
            yield

    app = Litestar(
        route_handlers=[*HANDLERS, *replicate_door.ROUTERS],
        dependencies={
            "replicate": Provide(lambda: replicate, sync_to_thread=False),
            "storage": Provide(lambda: storage, sync_to_thread=False),
            "decoders": Provide(lambda: decoders, sync_to_thread=False),
            "hasher": Provide(lambda: hasher, sync_to_thread=False),
            "signatures": Provide(lambda: signatures, sync_to_thread=False),
            "start_again": Provide(lambda: start_again, sync_to_thread=False),
        },
        lifespan=[alive],
        before_send=[_secure],
        request_class=FormRequest,
        middleware=[requests, AllowedMethods(), Authentication(), BoundedBodies()],
        after_exception=[recognize],
        exception_handlers=EXCEPTION_HANDLERS,
        state=State(
            {
                "storage": storage,
                "replicate": replicate,
                "hub": hub,
                "board": board,
                "metrics": metrics.Metrics(storage),
                "requests": requests,
                "doors": DOORS,
            }
        ),
        request_max_body_size=MAX_BODY_BYTES,
        compression_config=CompressionConfig(backend="brotli", brotli_gzip_fallback=True, exclude=UNCOMPRESSED),
        openapi_config=None,
        logging_config=None,
    )
    # Not middleware: that sees only requests that match a route.
    app.asgi_handler = RequestIds(Appearing(OurOwnOnly(app.asgi_handler)))
    if endpoint.ON:
        app.asgi_handler = RequestSpans(app.asgi_handler)
    return app


@route("/docs", http_method=READ)
async def docs(request: Request[Any, Any, Any]) -> Response[str]:
    """Return the API reference as a page."""
    return revalidated(request, templates.page("pages/docs.html"))


@route("/errors/{code:str}", http_method=READ)
async def error(request: Request[Any, Any, Any], code: FromPath[str]) -> Response[str]:
    """Return the page that explains a code: the `type` of its problems."""
    try:
        known = Code.of(code)
    except ValueError:
        raise Problem(Code.NOT_FOUND, "There is no such code.") from None
    page = templates.page("pages/error.html", status=known.status, title=known.summary, message=known.meaning)
    return revalidated(request, page)


@route("/schema/openapi.json", http_method=READ)
async def openapi_document(scope: Scope) -> Response[Document]:
    """Return the API's OpenAPI document."""
    return revalidated_json(scope, api_document())


@cache
def api_document() -> Document:
    """Return the API's OpenAPI document, in JSON's types."""
    return document(HANDLERS, access.needed)


DOORS: dict[str, Callable[[Problem], Any]] = {
    openai.PATH: openai_answers.error,
    REPLICATE_ROOT: replicate_problems.told,
}
"""How each door for programs of another API tells them of problems, by the beginning of its addresses."""

HANDLERS: list[HTTPRouteHandler | ASGIRouteHandler] = [
    generate.generate,
    generate.status,
    estimate.estimate,
    jobs.jobs_json,
    *models.ROUTES,
    *changes.ROUTES,
    *preset_routes.ROUTES,
    *webhooks.ROUTES,
    *gallery.ROUTES,
    *job_actions.ROUTES,
    *curation.ROUTES,
    *selection.ROUTES,
    *collections.ROUTES,
    archive.download,
    *refine.ROUTES,
    *saved_searches.ROUTES,
    view_menu.choose,
    *batches.ROUTES,
    *queue_page.ROUTES,
    *operate_page.ROUTES,
    *operate_actions.ROUTES,
    *uploads.ROUTES,
    stream.stream,
    *job_events.ROUTES,
    compare.compare,
    lightbox.panel,
    reuse.menu,
    prompts.latest,
    recent.finished,
    *media.routes,
    xmp.imprint,
    *sign_in.ROUTES,
    *account.ROUTES,
    *people.ROUTES,
    settings_page.shown,
    *token.ROUTES,
    *spend.ROUTES,
    *budget_forms.ROUTES,
    *price_list.ROUTES,
    mcp.mcp,
    *openai.ROUTES,
    *webhook_page.ROUTES,
    *webhook_deliveries.ROUTES,
    *webhook_forms.ROUTES,
    health.healthz,
    health.readyz,
    metrics.metrics,
    docs,
    error,
    openapi_document,
    static.static,
]
"""Every handler but those of routers. Those with tags are in the OpenAPI document."""


async def _secure(message: Message, scope: Scope) -> None:
    """Add to every response the headers that tell browsers what our pages may do, and caches what it depends on.

    Whether a response is compressed or not, it might have been (RFC 9110, section 12.5.5).
    """
    if message["type"] == "http.response.start":
        present = {name.lower() for name, _ in message["headers"]}
        added = [pair for pair in SECURITY_HEADERS if pair[0] not in present]
        if b"content-encoding" not in present and not NEVER_COMPRESSED.match(scope["path"]):
            added.append((b"vary", b"Accept-Encoding"))
        message["headers"] = [*message["headers"], *added]
