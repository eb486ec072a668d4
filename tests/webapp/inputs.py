"""The inputs for text into the application: every route, and the fields that it reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Door:
    """An input for text.

    fields: the fields that get the text, one at a time. kind: path, query, form, json or body. more: other fields.
    """

    method: str
    kind: str
    fields: tuple[str, ...] = ("",)
    more: Mapping[str, str] = field(default_factory=dict)


def query(*fields: str, **more: str) -> Door:
    return Door("GET", "query", fields, more)


def form(*fields: str, **more: str) -> Door:
    return Door("POST", "form", fields, more)


GET, POST = Door("GET", "path"), Door("POST", "path")
PLACES = ("q", "sort", "cursor")
COMPOSER = (
    "preset",
    "size",
    "prompt",
    "model",
    "seeds",
    "models",
    "p.width",
    "p.seed",
    "p.image",
    "p.nope",
    "made_from",
)

GENERATE = ("prompt", "model", "parameters", "made_from", "metadata", "webhook")

KEY = {"name": "ci", "scope": "read"}

OF_REPLICATE: Mapping[str, tuple[Door, ...]] = {
    "/account": (query("x"),),
    "/files": (query("x"), Door("POST", "body")),
    "/files/{key:str}": (GET, Door("DELETE", "path")),
    "/models": (query("x"),),
    "/models/{owner:str}/{name:str}": (GET,),
    "/models/{owner:str}/{name:str}/predictions": (POST, Door("POST", "json", ("input", "version"))),
    "/models/{owner:str}/{name:str}/versions": (GET,),
    "/models/{owner:str}/{name:str}/versions/{version:str}": (GET,),
    "/predictions": (
        query("cursor", "created_after", "created_before", "source"),
        Door("POST", "json", ("version", "input", "webhook", "nope"), {"version": "stability-ai/sdxl"}),
    ),
    "/predictions/{job_id:str}": (GET,),
    "/predictions/{job_id:str}/cancel": (POST,),
    "/webhooks/default/secret": (GET,),
}

DOORS: Mapping[str, tuple[Door, ...]] = {
    "/": (query(*COMPOSER, *PLACES, "at", "until"),),
    "/account": (query("x"),),
    "/account/keys": (form("name", "scope", "models", "expires", "budget", **KEY),),
    "/account/keys/{key_id:uuid}/revoke": (POST,),
    "/account/keys/{key_id:uuid}/rotate": (POST,),
    "/account/password": (form("old", "password"),),
    "/account/sessions/{session_id:uuid}/end": (POST,),
    "/batches": (
        Door("POST", "json", ("prompt", "models", "seeds", "parameters", "webhook", "nope"), {"prompt": "a {b|c}"}),
    ),
    "/batches/count": (form("prompt", "seeds", "models"),),
    "/batches/{batch_id:str}": (GET,),
    "/batches/{batch_id:str}/cancel": (POST,),
    "/batches/{batch_id:str}/grid": (GET,),
    "/batches/{batch_id:str}/progress": (GET,),
    "/budgets": (form("scope", "amount", "period", period="day"),),
    "/budgets/{budget_id:uuid}/remove": (POST,),
    "/collections": (form("name"), query("x")),
    "/collections.json": (query("x"),),
    "/collections/{collection_id:uuid}": (form("name"),),
    "/collections/{collection_id:uuid}/delete": (POST,),
    "/compare": (query("job"),),
    "/composer": (query(*COMPOSER),),
    "/composer/prompts": (query("x"),),
    "/composer/estimate": (form("prompt", "seeds", "models", "model", "p.width"),),
    "/docs": (query("x"),),
    "/errors/{code:str}": (GET,),
    "/estimate": (
        Door("POST", "json", ("prompt", "model", "models", "seeds", "parameters", "nope"), {"prompt": "a {b|c}"}),
    ),
    "/events": (query(*PLACES, "since", "job"),),
    "/events.json": (query("q", "after"),),
    "/finished.json": (query("since"),),
    "/generate": (Door("POST", "json", (*GENERATE, "nope"), {"prompt": "fox"}),),
    "/healthz": (query("x"),),
    "/imprint": (Door("POST", "body"),),
    "/jobs": (form("prompt", "model", "seeds", "p.width", "p.image", prompt="fox"),),
    "/jobs.json": (query(*PLACES, "limit"),),
    "/jobs/{job_id:str}": (
        GET, query("q", "sort"), Door("PATCH", "json", ("notes", "tags", "rating", "favorite", "outputs", "nope")),
    ),
    "/jobs/{job_id:str}/cancel": (POST,),
    "/jobs/{job_id:str}/delete": (POST,),
    "/jobs/{job_id:str}/events": (GET, query("after")),
    "/jobs/{job_id:str}/front": (POST,),
    "/jobs/{job_id:str}/panel": (GET, query("q", "sort")),
    "/jobs/{job_id:str}/retry": (POST,),
    "/jobs/{job_id:str}/uses": (GET, query("output")),
    "/mcp": (Door("POST", "json", ("jsonrpc", "id", "method", "params"), {"jsonrpc": "2.0", "method": "tools/list"}),),
    "/media/{key:str}": (GET,),
    "/metrics": (query("x"),),
    "/operate": (query("x"),),
    "/operate/events": (query("x"),),
    "/operate/failures/{fingerprint:str}": (query("x"),),
    "/operate/failures/{fingerprint:str}/dismiss": (POST,),
    "/operate/failures/{fingerprint:str}/retry": (POST,),
    "/operate/workers/{worker_id:uuid}/drain": (POST,),
    "/operate/workers/{worker_id:uuid}/resume": (POST,),
    "/people": (query("x"), form("name", "role", role="member")),
    "/people/{person_id:uuid}": (POST, form("action", "role", "name", action="role")),
    "/prices": (query("x"), form("model", "amount", "unit")),
    "/prices/{price_id:uuid}/take-back": (POST,),
    "/queue": (query("x"),),
    "/queue.json": (query("x"),),
    "/queue/pause": (form("model", "reason", "minutes"),),
    "/queue/resume": (form("model"),),
    "/readyz": (query("x"),),
    "/schema/openapi.json": (query("x"),),
    "/models": (query("x"), form("address")),
    "/models/{owner:str}/{name:str}": (GET, POST, form("action")),
    "/presets": (
        query("x"), form("preset_name", "model", "p.width", "p.nope", model="stability-ai/sdxl", preset_name="Wide"),
        Door("POST", "json", ("model", "name", "parameters", "nope"), {"model": "stability-ai/sdxl", "name": "Wide"}),
    ),
    "/presets/{preset_id:str}": (POST, Door("DELETE", "path"), form("action", "name", action="rename")),
    "/searches": (form("q", "name", "sort", q="fox"), query("x")),
    "/searches/count": (query("q"),),
    "/searches/filter": (query("q", "sort"),),
    "/searches/suggestions": (query("q"),),
    "/searches/{search_id:uuid}/delete": (POST,),
    "/selection": (form("action", "tag", "collection", "notes", "q", "job", action="tag", tag="x", all="1"),),
    "/selection.zip": (query("q", "job", all="1"), form("q", "job", all="1")),
    "/selection/count": (query("q"),),
    "/selection/names": (query("tag"),),
    "/settings": (query("x"),),
    "/settings/token": (query("x"), form("token", "keep", token="r8_0123456789")),
    "/sign-in": (query("next"), form("name", "password", "next", name="anna")),
    "/sign-out": (form("x"),),
    "/spend": (query("month", "by"),),
    "/spend.csv": (query("month"),),
    "/spend.json": (query("month"),),
    "/static/{path:path}": (GET,),
    "/status/{job_id:str}": (GET,),
    "/undo/{undo_id:str}": (GET, query("back", "left_out"), form("back")),
    "/uploads": (Door("POST", "body"),),
    "/v1/images/edits": (Door("POST", "body"),),
    "/v1/images/generations": (
        Door("POST", "json", ("prompt", "model", "n", "size", "quality", "nope"), {"prompt": "fox", "stream": "true"}),
    ),
    "/v1/models": (query("x"),),
    "/v1/models/{owner:str}/{name:str}": (GET,),
    "/view": (form("size", "layout", "theme", size="m", layout="rows", theme="dark"),),
    "/welcome/{token:str}": (GET, POST),
    "/webhooks": (
        query("endpoint", "state", "type", "before"),
        form("url", "types", "everyone", url="https://example.org", types="job.failed"),
    ),
    "/webhooks/deliveries": (query("state", "before"),),
    "/webhooks/deliveries/{delivery_id:uuid}/replay": (POST,),
    "/webhooks/secret": (query("x"), form("x")),
    "/webhooks/{endpoint_id:uuid}": (POST, form("action", "since", action="resend", since="24")),
    "/webhooks/replicate": (Door("POST", "body"), Door("POST", "query", ("attempt",))),
    **{f"/replicate{version}{path}": doors for version in ("", "/v1") for path, doors in OF_REPLICATE.items()},
}  # fmt: skip
