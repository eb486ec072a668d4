"""/settings: what is in force and where it comes from, and whether all that Darkroom needs works."""

from litestar import Response, route

from tasks.health import doctor
from tasks.health.origins import Origin, in_force
from tasks.settings import settings
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.render import templates


@route("/settings", http_method=READ)
async def shown() -> Response[str]:
    """Return the page with the health of Darkroom and all settings."""
    every = in_force(settings)
    return templates.page(
        "pages/settings.html",
        headers=NO_STORE,
        findings=await doctor.findings(settings),
        given=[each for each in every if each.origin != Origin.DEFAULT],
        defaults=[each for each in every if each.origin == Origin.DEFAULT],
    )
