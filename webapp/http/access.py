"""Who may do what: the permissions that each route needs. A route that is not listed needs MANAGE."""

from collections.abc import Mapping

from tasks.accounts.actors import Permission

SUBMIT, READ, READ_ALL, TIDY = Permission.SUBMIT, Permission.READ, Permission.READ_ALL, Permission.TIDY
OPERATE, MANAGE, SIGNED_IN = Permission.OPERATE, Permission.MANAGE, Permission.SIGNED_IN
OPERATE_READ, WEBHOOKS = Permission.OPERATE_READ, Permission.WEBHOOKS

Needed = tuple[Permission, ...]

PUBLIC = frozenset(
    {
        "/errors/{code}", "/healthz", "/readyz", "/sign-in", "/sign-out", "/static/{path}", "/webhooks/replicate",
        "/welcome/{token}",
    }
)  # fmt: skip
"""Routes for everyone. Webhooks are signed by Replicate; links to /welcome hold a secret."""
WITHOUT_ACTOR = frozenset({"/healthz", "/readyz", "/static/{path}", "/webhooks/replicate"})
"""Those of them that do not ask who asks, so that they need no database."""

OF_REPLICATE: Mapping[str, Needed | Mapping[str, Needed]] = {
    "/account": (READ,),
    "/files": {"GET": (READ,), "POST": (SUBMIT,)},
    "/files/{key}": {"GET": (READ,), "DELETE": (TIDY,)},
    "/models": (READ,),
    "/models/{owner}/{name}": (READ,),
    "/models/{owner}/{name}/predictions": (SUBMIT,),
    "/models/{owner}/{name}/versions": (READ,),
    "/models/{owner}/{name}/versions/{version}": (READ,),
    "/predictions": {"GET": (READ,), "POST": (SUBMIT,)},
    "/predictions/{job_id}": (READ,),
    "/predictions/{job_id}/cancel": (SUBMIT,),
    "/webhooks/default/secret": (SUBMIT,),
}
"""The routes of Replicate's API, below /replicate and /replicate/v1."""

NEEDS: Mapping[str, Needed | Mapping[str, Needed]] = {
    "/": (READ_ALL,),
    "/account": (SIGNED_IN,),
    "/account/keys": (SIGNED_IN,),
    "/account/keys/{key_id}/revoke": (SIGNED_IN,),
    "/account/keys/{key_id}/rotate": (SIGNED_IN,),
    "/account/password": (SIGNED_IN,),
    "/account/sessions/{session_id}/end": (SIGNED_IN,),
    "/batches": (SUBMIT,),
    "/batches/count": (SUBMIT, READ_ALL),
    "/batches/{batch_id}": (READ,),
    "/batches/{batch_id}/cancel": (SUBMIT,),
    "/batches/{batch_id}/grid": (READ_ALL,),
    "/batches/{batch_id}/progress": (READ_ALL,),
    "/budgets": (MANAGE,),
    "/budgets/{budget_id}/remove": (MANAGE,),
    "/collections": {"GET": (READ_ALL,), "POST": (TIDY, READ_ALL)},
    "/collections.json": (READ_ALL,),
    "/collections/{collection_id}": (TIDY, READ_ALL),
    "/collections/{collection_id}/delete": (TIDY, READ_ALL),
    "/compare": (READ_ALL,),
    "/composer": (SUBMIT, READ_ALL),
    "/composer/estimate": (SUBMIT, READ_ALL),
    "/composer/prompts": (SUBMIT, READ_ALL),
    "/docs": (READ,),
    "/estimate": (SUBMIT,),
    "/events": (READ_ALL,),
    "/events.json": (READ,),
    "/finished.json": (READ,),
    "/generate": (SUBMIT,),
    "/imprint": (SUBMIT,),
    "/jobs": (SUBMIT, READ_ALL),
    "/jobs.json": (READ,),
    "/jobs/{job_id}": {"GET": (READ,), "PATCH": (TIDY,)},
    "/jobs/{job_id}/cancel": (SUBMIT,),
    "/jobs/{job_id}/delete": (TIDY,),
    "/jobs/{job_id}/events": (READ,),
    "/jobs/{job_id}/front": (SUBMIT,),
    "/jobs/{job_id}/panel": (READ_ALL,),
    "/jobs/{job_id}/retry": (SUBMIT,),
    "/jobs/{job_id}/uses": (SUBMIT, READ_ALL),
    "/mcp": (READ,),
    "/media/{key}": (READ,),
    "/metrics": (OPERATE_READ,),
    "/models": {"GET": (READ,), "POST": (TIDY, READ_ALL)},
    "/models/{owner}/{name}": {"GET": (READ,), "POST": (TIDY, READ_ALL)},
    "/operate": (OPERATE_READ,),
    "/operate/events": (OPERATE_READ,),
    "/operate/failures/{fingerprint}": (OPERATE,),
    "/operate/failures/{fingerprint}/dismiss": (OPERATE,),
    "/operate/failures/{fingerprint}/retry": (OPERATE, SUBMIT),
    "/operate/workers/{worker_id}/drain": (OPERATE,),
    "/operate/workers/{worker_id}/resume": (OPERATE,),
    "/people": (MANAGE,),
    "/people/{person_id}": (MANAGE,),
    "/presets": {"GET": (READ,), "POST": (TIDY,)},
    "/presets/{preset_id}": (TIDY,),
    "/prices": {"GET": (OPERATE,), "POST": (MANAGE,)},
    "/prices/{price_id}/take-back": (MANAGE,),
    "/queue": (READ_ALL,),
    "/queue.json": (READ_ALL,),
    "/queue/pause": (OPERATE,),
    "/queue/resume": (OPERATE,),
    "/schema/openapi.json": (READ,),
    "/searches": {"GET": (READ_ALL,), "POST": (TIDY, READ_ALL)},
    "/searches/count": (READ_ALL,),
    "/searches/filter": (READ_ALL,),
    "/searches/suggestions": (READ_ALL,),
    "/searches/{search_id}/delete": (TIDY, READ_ALL),
    "/selection": (TIDY, READ_ALL),
    "/selection.zip": (READ_ALL,),
    "/selection/count": (READ_ALL,),
    "/selection/names": (READ_ALL,),
    "/settings": (OPERATE,),
    "/settings/token": (OPERATE,),
    "/spend": (READ,),
    "/spend.csv": (READ,),
    "/spend.json": (READ,),
    "/status/{job_id}": (READ,),
    "/undo/{undo_id}": (TIDY, READ_ALL),
    "/uploads": (SUBMIT,),
    **{f"/replicate{path}": needs for path, needs in OF_REPLICATE.items()},
    **{f"/replicate/v1{path}": needs for path, needs in OF_REPLICATE.items()},
    "/v1/images/edits": (SUBMIT, READ),
    "/v1/images/generations": (SUBMIT, READ),
    "/v1/models": (READ,),
    "/v1/models/{owner}/{name}": (READ,),
    "/view": (READ_ALL,),
    "/webhooks": (WEBHOOKS,),
    "/webhooks/deliveries": (SUBMIT,),
    "/webhooks/deliveries/{delivery_id}/replay": (SUBMIT,),
    "/webhooks/secret": {"GET": (SUBMIT,), "POST": (WEBHOOKS,)},
    "/webhooks/{endpoint_id}": (WEBHOOKS,),
}
"""The permissions that a route needs, all of them, by its path, and by method where they differ. GET is HEAD, too."""


def needed(path: str, method: str) -> Needed:
    """Return the permissions that a request needs: none when everyone may send it. path: of the route."""
    if path in PUBLIC:
        return ()
    listed = NEEDS.get(path, (MANAGE,))
    return listed if isinstance(listed, tuple) else listed.get("GET" if method == "HEAD" else method, (MANAGE,))
