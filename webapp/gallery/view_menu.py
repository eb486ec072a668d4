"""POST /view: the form of the menu "View", for browsers without scripts. js/view.js does the same with them."""

from litestar import post
from litestar.response import Redirect

from webapp.http.clients import COOKIE_SECONDS, came_from
from webapp.http.errors import AnyRequest, Problem
from webapp.render.appearance import COOKIE, Appearance
from webapp.schemas.codes import Code


@post("/view", status_code=303)
async def choose(request: AnyRequest) -> Redirect:
    """Keep the size, the layout and the theme in a cookie, and return to the page. Raises Problem for unknown ones."""
    form = await request.form()
    try:
        chosen = Appearance.of(*(form.get(name) for name in ("size", "layout", "theme")))
    except ValueError as error:
        raise Problem(Code.INVALID_REQUEST, f"{error}.") from None
    page = Redirect(came_from(request), status_code=303)
    page.set_cookie(COOKIE, str(chosen), max_age=COOKIE_SECONDS, samesite="lax")
    return page
