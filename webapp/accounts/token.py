"""/settings/token: a token in place of the stand-in. It is tried out, and Darkroom starts again with it."""

import re
from collections.abc import Callable
from typing import Any

from dotenv import set_key
from litestar import Response, post, route
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency

from tasks.accounts import audit
from tasks.errors import Failure
from tasks.replicate.client import Replicate
from tasks.settings import ENV_FILE, settings
from webapp.http.authentication import requester
from webapp.http.errors import AnyRequest
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.render import templates

TOKEN = re.compile(r"[!-~]{8,200}")  # Replicate's begin with r8_; a gateway's may be others
REFUSED = "Replicate does not accept this token."
AWAY = "Darkroom cannot try the token out now. {}"

StartAgain = Callable[[str], object]
"""Starts all of Darkroom again, with a token."""


@route("/settings/token", http_method=READ)
async def form(start_again: NamedDependency[StartAgain | None]) -> Response[str]:
    """Return the page with the field for a token, or how to set it where it cannot be entered."""
    return _page(start_again)


@post("/settings/token", status_code=200)
async def enter(request: AnyRequest, start_again: NamedDependency[StartAgain | None]) -> Response[Any]:
    """Try a token out, and start again with it. `keep` writes it into .env; else it is forgotten at the next stop."""
    given = await request.form()
    token, keeps = str(given.get("token", "")).strip(), bool(given.get("keep"))
    if start_again is None or not settings.standin:
        return _page(start_again, status=409)
    if fault := await _fault(token) or (keeps and _not_kept(token)) or "":
        return _page(start_again, fault, keeps, status=422)
    await audit.note(requester(request), "token entered", "settings", after={"kept": keeps})
    page = templates.page("pages/starting.html", headers=NO_STORE)
    page.background = BackgroundTask(start_again, token)
    return page


async def _fault(token: str) -> str:
    """Return why a token cannot be used, or ""."""
    if not TOKEN.fullmatch(token):
        return "This is no token: those of Replicate begin with r8_."
    replicate = Replicate(token=token)
    try:
        await replicate.account()
    except Failure as failure:
        return REFUSED if failure.code == "provider_auth" else AWAY.format(failure.message)
    finally:
        await replicate.aclose()
    return ""


def _not_kept(token: str) -> str:
    """Write a token into .env. Returns why that failed, or ""."""
    try:
        set_key(ENV_FILE, "REPLICATE_API_TOKEN", token)
    except OSError as error:
        return f".env cannot be written ({error.strerror})."
    return ""


def _page(start_again: StartAgain | None, fault: str = "", keeps: bool = False, status: int = 200) -> Response[str]:
    here = start_again is not None and settings.standin
    return templates.page("pages/token.html", status, NO_STORE, here=here, fault=fault, keeps=keeps)


ROUTES = [form, enter]
