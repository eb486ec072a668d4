"""create_app(): every part put together. The only room that knows them all."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar import Litestar, Response, asgi, route
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import Message, Receive, Scope, Send
from starlette.staticfiles import StaticFiles

from tasks import database, events
from tasks.alongside import alongside
from tasks.broker import broker
from tasks.replicate import Replicate
from tasks.settings import ROOT, settings
from tasks.storage import Storage
from tasks.webhooks import Signatures
from webapp import (
    actions,
    api,
    archive,
    batches,
    collections,
    compare,
    files,
    gallery,
    health,
    imprints,
    lightbox,
    listing,
    live,
    news,
    pages,
    reuse,
    searches,
    selection,
    tidying,
    uploads,
    webhooks,
)
from webapp.errors import EXCEPTION_HANDLERS
from webapp.live import Hub
from webapp.methods import READ
from webapp.origin import same_origin_only

MAX_BODY = 1024 * 1024  # bytes
VERSIONED = re.compile(r"/vendor/[^/]*-\d+\.\d+\.\d+")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "manifest-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app() -> Litestar:
    """The web application."""
    replicate, storage, hub = Replicate(), Storage.open(settings.storage_url), Hub()
    signatures = Signatures(replicate)

    @asynccontextmanager
    async def alive(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(database.connected())
            stack.push_async_callback(replicate.aclose)
            stack.push_async_callback(broker.shutdown)
            stack.push_async_callback(events.close)
            await stack.enter_async_context(alongside(hub.listen(), hub.pass_on()))
            yield

    return Litestar(
        route_handlers=[
            api.generate,
            api.status,
            listing.jobs_json,
            webhooks.from_replicate,
            *gallery.ROUTES,
            *actions.ROUTES,
            *tidying.ROUTES,
            *selection.ROUTES,
            *collections.ROUTES,
            archive.download,
            *searches.ROUTES,
            *batches.ROUTES,
            *uploads.ROUTES,
            live.stream,
            compare.compare,
            lightbox.panel,
            reuse.menu,
            news.finished,
            *files.routes,
            imprints.imprint,
            health.healthz,
            health.readyz,
            docs,
            openapi_document,
            static_files,
        ],
        dependencies={
            "replicate": Provide(lambda: replicate, sync_to_thread=False),
            "storage": Provide(lambda: storage, sync_to_thread=False),
            "hub": Provide(lambda: hub, sync_to_thread=False),
            "signatures": Provide(lambda: signatures, sync_to_thread=False),
        },
        lifespan=[alive],
        before_send=[_secure],
        middleware=[same_origin_only],
        exception_handlers=EXCEPTION_HANDLERS,
        state=State({"storage": storage, "replicate": replicate}),
        request_max_body_size=MAX_BODY,
        compression_config=CompressionConfig(
            backend="brotli", brotli_gzip_fallback=True, exclude=["^/events", "^/media/", "^/selection.zip"]
        ),
        openapi_config=None,
        logging_config=None,
    )


@route("/docs", http_method=READ)
async def docs() -> Response[str]:
    """The API's reference, as a page."""
    return pages.page("docs.html")


@route("/schema/openapi.json", http_method=READ)
async def openapi_document() -> Response[bytes]:
    """The API's OpenAPI document."""
    return Response((ROOT / "webapp" / "openapi.json").read_bytes(), media_type="application/json")


class _StaticFiles(StaticFiles):
    """Files whose address changes with their bytes are kept for a year; others are asked for again each time."""

    def file_response(self, full_path: Any, stat_result: Any, scope: Any, status_code: int = 200) -> Any:
        response = super().file_response(full_path, stat_result, scope, status_code)
        kept = scope["query_string"].startswith(b"v=") or VERSIONED.search(scope["path"])
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        return response


_static = _StaticFiles(directory=pages.STATIC)


@asgi("/static", is_mount=True, copy_scope=True)
async def static_files(scope: Scope, receive: Receive, send: Send) -> None:
    """Styles, scripts, fonts: addressed by their content, so kept for a year."""
    await _static(scope, receive, send)  # type: ignore[arg-type]  # Starlette's names for the same ASGI types


async def _secure(message: Message, scope: Scope) -> None:
    """Put the headers on every answer that tell browsers what a page of ours may do."""
    if message["type"] == "http.response.start":
        present = {name.lower() for name, _ in message["headers"]}
        added = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
        message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in present)]
