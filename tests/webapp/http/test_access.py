"""Who may do what: every route and method, asked by everyone."""

import re
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from tasks.accounts.actors import Permission, Role
from tests import factories
from tests.webapp.raw import Pairs, ask
from webapp.app import create_app
from webapp.http import access

SCOPES = ("submit", "read", "read:all", "tidy", "operate", "operate:read")
PROGRAM = ("read", "read:all", "submit", "tidy")

Who = frozenset[str]
PEOPLE = frozenset({"viewer", "member", "admin"})
MAKERS = frozenset({"open house", "member", "admin", "program"})
ADMINS = frozenset({"admin"})
PERSONS = frozenset({"open house", "member", "admin"})  # who make prints, but no programs
OPERATORS = ADMINS | {"open house", "key with operate"}
OBSERVERS = OPERATORS | {"key with operate:read"}
READERS = PEOPLE | {"open house", "program", "key with read"}
READERS_OF_ALL = PEOPLE | {"open house", "program", "key with read:all"}
SUBMITTERS = MAKERS | {"key with submit"}
TIDIERS = MAKERS | {"key with tidy"}
EVERYONE = PEOPLE | {"open house", "anonymous", "program", *(f"key with {scope}" for scope in SCOPES)}
"""The open house is everyone before there is a person; anonymous, who has not signed in afterwards."""

OF_REPLICATE: Mapping[str, Mapping[str, Who]] = {
    "/account": {"GET": READERS},
    "/files": {"GET": READERS, "POST": SUBMITTERS},
    "/files/{key}": {"GET": READERS, "DELETE": TIDIERS},
    "/models": {"GET": READERS},
    "/models/{owner}/{name}": {"GET": READERS},
    "/models/{owner}/{name}/predictions": {"POST": SUBMITTERS},
    "/models/{owner}/{name}/versions": {"GET": READERS},
    "/models/{owner}/{name}/versions/{version}": {"GET": READERS},
    "/predictions": {"GET": READERS, "POST": SUBMITTERS},
    "/predictions/{job_id}": {"GET": READERS},
    "/predictions/{job_id}/cancel": {"POST": SUBMITTERS},
    "/webhooks/default/secret": {"GET": SUBMITTERS},
}

MAY: Mapping[str, Mapping[str, Who]] = {
    "/": {"GET": READERS_OF_ALL},
    "/account": {"GET": PEOPLE},
    "/account/keys": {"POST": PEOPLE},
    "/account/keys/{key_id}/revoke": {"POST": PEOPLE},
    "/account/keys/{key_id}/rotate": {"POST": PEOPLE},
    "/account/password": {"POST": PEOPLE},
    "/account/sessions/{session_id}/end": {"POST": PEOPLE},
    "/batches": {"POST": SUBMITTERS},
    "/batches/count": {"POST": MAKERS},
    "/batches/{batch_id}": {"GET": READERS},
    "/batches/{batch_id}/cancel": {"POST": SUBMITTERS},
    "/batches/{batch_id}/grid": {"GET": READERS_OF_ALL},
    "/batches/{batch_id}/progress": {"GET": READERS_OF_ALL},
    "/budgets": {"POST": ADMINS},
    "/budgets/{budget_id}/remove": {"POST": ADMINS},
    "/collections": {"GET": READERS_OF_ALL, "POST": MAKERS},
    "/collections.json": {"GET": READERS_OF_ALL},
    "/collections/{collection_id}": {"POST": MAKERS},
    "/collections/{collection_id}/delete": {"POST": MAKERS},
    "/compare": {"GET": READERS_OF_ALL},
    "/composer": {"GET": MAKERS},
    "/composer/estimate": {"POST": MAKERS},
    "/composer/prompts": {"GET": MAKERS},
    "/docs": {"GET": READERS},
    "/errors/{code}": {"GET": EVERYONE},
    "/estimate": {"POST": SUBMITTERS},
    "/events": {"GET": READERS_OF_ALL},
    "/events.json": {"GET": READERS},
    "/finished.json": {"GET": READERS},
    "/generate": {"POST": SUBMITTERS},
    "/healthz": {"GET": EVERYONE},
    "/imprint": {"POST": SUBMITTERS},
    "/jobs": {"POST": MAKERS},
    "/jobs.json": {"GET": READERS},
    "/jobs/{job_id}": {"GET": READERS, "PATCH": TIDIERS},
    "/jobs/{job_id}/cancel": {"POST": SUBMITTERS},
    "/jobs/{job_id}/delete": {"POST": TIDIERS},
    "/jobs/{job_id}/events": {"GET": READERS},
    "/jobs/{job_id}/front": {"POST": SUBMITTERS},
    "/jobs/{job_id}/panel": {"GET": READERS_OF_ALL},
    "/jobs/{job_id}/retry": {"POST": SUBMITTERS},
    "/jobs/{job_id}/uses": {"GET": MAKERS},
    "/mcp": {"POST": READERS},
    "/media/{key}": {"GET": READERS},
    "/metrics": {"GET": OBSERVERS},
    "/models": {"GET": READERS, "POST": MAKERS},
    "/models/{owner}/{name}": {"GET": READERS, "POST": MAKERS},
    "/operate": {"GET": OBSERVERS},
    "/operate/events": {"GET": OBSERVERS},
    "/operate/failures/{fingerprint}": {"GET": OPERATORS},
    "/operate/failures/{fingerprint}/dismiss": {"POST": OPERATORS},
    "/operate/failures/{fingerprint}/retry": {"POST": ADMINS | {"open house"}},
    "/operate/workers/{worker_id}/drain": {"POST": OPERATORS},
    "/operate/workers/{worker_id}/resume": {"POST": OPERATORS},
    "/people": {"GET": ADMINS, "POST": ADMINS},
    "/people/{person_id}": {"POST": ADMINS},
    "/presets": {"GET": READERS, "POST": TIDIERS},
    "/presets/{preset_id}": {"POST": TIDIERS, "DELETE": TIDIERS},
    "/prices": {"GET": OPERATORS, "POST": ADMINS},
    "/prices/{price_id}/take-back": {"POST": ADMINS},
    "/queue": {"GET": READERS_OF_ALL},
    "/queue.json": {"GET": READERS_OF_ALL},
    "/queue/pause": {"POST": OPERATORS},
    "/queue/resume": {"POST": OPERATORS},
    "/readyz": {"GET": EVERYONE},
    "/schema/openapi.json": {"GET": READERS},
    "/searches": {"GET": READERS_OF_ALL, "POST": MAKERS},
    "/searches/count": {"GET": READERS_OF_ALL},
    "/searches/filter": {"GET": READERS_OF_ALL},
    "/searches/suggestions": {"GET": READERS_OF_ALL},
    "/searches/{search_id}/delete": {"POST": MAKERS},
    "/selection": {"POST": MAKERS},
    "/selection.zip": {"GET": READERS_OF_ALL, "POST": READERS_OF_ALL},
    "/selection/count": {"GET": READERS_OF_ALL},
    "/selection/names": {"GET": READERS_OF_ALL},
    "/settings": {"GET": OPERATORS},
    "/settings/token": {"GET": OPERATORS, "POST": OPERATORS},
    "/sign-in": {"GET": EVERYONE, "POST": EVERYONE},
    "/sign-out": {"POST": EVERYONE},
    "/spend": {"GET": READERS},
    "/spend.csv": {"GET": READERS},
    "/spend.json": {"GET": READERS},
    "/static/{path}": {"GET": EVERYONE},
    "/status/{job_id}": {"GET": READERS},
    "/undo/{undo_id}": {"GET": MAKERS, "POST": MAKERS},
    "/uploads": {"POST": SUBMITTERS},
    "/v1/images/edits": {"POST": MAKERS},
    "/v1/images/generations": {"POST": MAKERS},
    "/v1/models": {"GET": READERS},
    "/v1/models/{owner}/{name}": {"GET": READERS},
    "/view": {"POST": READERS_OF_ALL},
    "/webhooks": {"GET": PERSONS, "POST": PERSONS},
    "/webhooks/deliveries": {"GET": SUBMITTERS},
    "/webhooks/deliveries/{delivery_id}/replay": {"POST": SUBMITTERS},
    "/webhooks/replicate": {"POST": EVERYONE},
    "/webhooks/secret": {"GET": SUBMITTERS, "POST": PERSONS},
    "/webhooks/{endpoint_id}": {"POST": PERSONS},
    "/welcome/{token}": {"GET": EVERYONE, "POST": EVERYONE},
    **{f"/replicate{version}{path}": row for version in ("", "/v1") for path, row in OF_REPLICATE.items()},
}
"""Who may send a request, by the path of its route and its method. GET stands for HEAD, too."""

ROUTES = {route.path_format: sorted({*route.methods} - {"OPTIONS"}) or ["GET"] for route in create_app().routes}
"""The methods of each route. Litestar knows none of a plain ASGI route, which is that of the live stream."""


def test_every_route_and_method_has_a_row() -> None:
    routes = {path: {*methods} - {"HEAD"} for path, methods in ROUTES.items()}
    assert {path: {*row} for path, row in MAY.items()} == routes


@pytest.mark.parametrize("path", ROUTES)
async def test_each_may_do_what_the_table_says_and_no_more(web: httpx.AsyncClient, standin: str, path: str) -> None:
    job = await factories.completed()
    address = re.sub(r"\{\w+\}", str(job.id), path)
    may: dict[str, Who] = {method: frozenset() for method in ROUTES[path]}
    async for who, headers in everyone():
        for method in ROUTES[path]:
            answer = await ask(web, method, address, headers=headers)
            refusal = 401 if who == "anonymous" else 403
            assert answer.status in (401, 403) or answer.status < 500 or path == "/readyz", (who, method, answer)
            assert answer.status == refusal or answer.status not in (401, 403), (who, method, answer)
            if answer.status != refusal:
                may[method] |= {who}
    assert may == {method: MAY[path]["GET" if method == "HEAD" else method] for method in ROUTES[path]}


async def everyone() -> AsyncIterator[tuple[str, Pairs]]:
    """Yield who asks, and the headers that show it. The first one asks before there are people."""
    yield "open house", ()
    people = {role: await factories.with_password(role, role) for role in Role}
    yield "anonymous", ()
    for role in (Role.VIEWER, Role.MEMBER, Role.ADMIN):
        yield role.value, pairs(await factories.session_of(people[role]))
    for scope in SCOPES:
        yield f"key with {scope}", pairs(await factories.key_of(people[Role.SERVICE], scope, name=scope))
    yield "program", pairs(await factories.key_of(people[Role.SERVICE], *PROGRAM))


def pairs(headers: Mapping[str, str]) -> Pairs:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def test_a_key_of_an_admin_may_do_no_more_than_its_scopes(web: httpx.AsyncClient) -> None:
    headers = await factories.key_of(await factories.person(role=Role.ADMIN), "read")
    assert (await web.get("/jobs.json", headers=headers)).status_code == 200
    for path in ("/people", "/account", "/searches"):
        assert (await web.get(path, headers=headers)).status_code == 403


@pytest.mark.once
def test_a_route_that_nobody_thought_of_is_for_admins_alone() -> None:
    assert access.needed("/new", "GET") == (Permission.MANAGE,)
    assert access.needed("/jobs/{job_id}", "DELETE") == (Permission.MANAGE,)


@pytest.mark.once
def test_no_route_is_listed_that_is_none() -> None:
    assert {*access.NEEDS, *access.PUBLIC} == ROUTES.keys()
    assert access.WITHOUT_ACTOR <= access.PUBLIC


@pytest.mark.once
@pytest.mark.parametrize("path", ["/people", "/events", "/jobs.json"])
async def test_options_tells_strangers_the_methods_and_nothing_else(web: httpx.AsyncClient, path: str) -> None:
    await factories.person()
    answer = await web.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
