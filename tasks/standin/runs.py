"""The endpoints of /v1/predictions: create, get, cancel, and list."""

import asyncio
from datetime import datetime
from re import fullmatch

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tasks.standin import catalogue, outputs
from tasks.standin.checks import check_body, check_input
from tasks.standin.delivery import inline
from tasks.standin.door import body_of
from tasks.standin.faults import Rule, rule_of
from tasks.standin.pages import answer, link, page, span
from tasks.standin.predictions import SECOND, Record, durations, new_id
from tasks.standin.problems import Json, invalid_fields, malformed, not_found
from tasks.standin.room import Room, origin_of, room_of
from tasks.standin.timeline import TERMINAL, outcome, view
from tasks.standin.webhooks import deliver


async def create(request: Request) -> Response:
    """Handle POST /predictions."""
    body = await body_of(request)
    check_body(body, version=True)
    return await _create(request, body, catalogue.of_version(body["version"]), body["version"])


async def create_by_name(request: Request) -> Response:
    """Handle POST /models/{owner}/{name}/predictions, for official models."""
    body = await body_of(request)
    check_body(body, version=False)
    model = catalogue.named(f"{request.path_params['owner']}/{request.path_params['name']}")
    if not model["is_official"]:
        raise not_found()
    return await _create(request, body, model, "")


async def get(request: Request) -> Response:
    """Handle GET /predictions/{id}."""
    return _answer(request, _record(request))


async def cancel(request: Request) -> Response:
    """Handle POST /predictions/{id}/cancel. A prediction that has ended stays unchanged."""
    room, record = room_of(request), _record(request)
    now = room.clock()
    if outcome(record, now)[0] not in TERMINAL:
        record = msgspec.structs.replace(record, canceled=now)
        room.predictions.save(record)
    return _answer(request, record)


async def index(request: Request) -> Response:
    """Handle GET /predictions: newest first, 100 a page.

    Filters: created_after (>=), created_before (<), source=web.
    """
    room, query = room_of(request), request.query_params
    now = room.clock()
    after, before = (_moment(query.get(name)) for name in ("created_after", "created_before"))
    records = [
        record
        for record in room.predictions
        if (after is None or record.created >= after)
        and (before is None or record.created < before)
        and record.listed <= now
    ]
    records = [] if query.get("source") == "web" else sorted(records, key=lambda record: record.created, reverse=True)
    start, end = span([record.created for record in records], query.get("cursor"))
    origin, shown = origin_of(request), records[start:end]
    following = link(request, f"p={shown[-1].created}") if end < len(records) else None
    previous = link(request, f"r=1&p={shown[0].created}") if start and shown else None
    return page([_row(record, now, origin) for record in shown], following, previous)


async def _create(request: Request, body: Json, model: catalogue.Model, version: str) -> Response:
    room = room_of(request)
    given = check_input(body["input"], model)
    wait, deadline = _wait(request), _cancel_after(request)
    name, now, prediction = f"{model['owner']}/{model['name']}", room.clock(), new_id()
    boot, run = durations(prediction, outputs.kind(name), room.pace)
    record = Record(
        id=prediction,
        model=name,
        version="hidden" if model["is_official"] else model["latest_version"]["id"],
        input=given,
        created=now,
        boot=boot,
        run=run,
        origin=origin_of(request),
        webhook=body.get("webhook"),
        events=body.get("webhook_events_filter"),
        deadline=None if deadline is None else now + deadline,
        error=outputs.refusal(name, given),
        traceparent=request.headers.get("traceparent"),
    )
    record = _reported(request, record)
    room.predictions.save(record)
    if record.webhook:
        deliver(room, record)
    if wait is None:  # its state at creation, even if a busy machine delays this response
        return answer(view(record, record.created, origin_of(request)), 201)
    await _settled(room, record, wait)
    headers = {"Preference-Applied": f"wait={wait}"}
    if record.model == "stability-ai/sdxl" and outcome(record, room.clock())[0] == "succeeded":
        # As recorded: a finished prediction has the status "processing" and its files inside the response.
        early = view(record, record.created, record.origin) | {"status": "processing"}
        return answer(early | {"output": await inline(room, record)}, 201, headers)
    return _answer(request, record, 201, headers)


def _reported(request: Request, record: Record) -> Record:
    """Return the record, changed as the request's fault rule says."""
    rule = rule_of(request)
    if rule is not None and rule.unlisted:
        record = msgspec.structs.replace(record, listed=record.created + round(rule.unlisted * SECOND))
    if rule is not None and rule.running:
        record = msgspec.structs.replace(record, run=rule.running)
    match rule:
        case Rule(do="fail_prediction"):
            return msgspec.structs.replace(record, error=rule.error or "")
        case Rule(do="boot"):
            return msgspec.structs.replace(record, boot=rule.seconds)
        case Rule(do="run"):
            return msgspec.structs.replace(record, run=rule.seconds)
        case Rule(do="output"):
            return msgspec.structs.replace(record, output=rule.output)
        case _:
            return record


async def _settled(room: Room, record: Record, seconds: int) -> None:
    """Wait until the prediction has ended, or until `seconds` after its creation."""
    until = record.created + seconds * SECOND
    while (now := room.clock()) < until:
        latest = room.predictions.get(record.id) or record
        if outcome(latest, now)[0] in TERMINAL:
            return
        await asyncio.sleep(min(0.05, (until - now) / SECOND))


def _wait(request: Request) -> int | None:
    """Return the seconds of Prefer: wait=N, or 60 when no number is given. Returns None without such a header."""
    found = fullmatch(r"wait(?:=([1-9][0-9]?))?", request.headers.get("prefer", ""))
    return None if found is None else min(60, int(found[1] or 60))


def _cancel_after(request: Request) -> int | None:
    """Return Cancel-After in nanoseconds. Accepts 30, 90s, 5m or 1h30m45s; at least 5 seconds."""
    text = request.headers.get("cancel-after")
    if text is None:
        return None
    found = fullmatch(r"(\d+)|(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if found is None:
        raise invalid_fields(
            [{"type": "invalid", "field": "Cancel-After", "description": "Cancel-After is not a duration"}]
        )
    bare, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = bare + hours * 3600 + minutes * 60 + seconds
    if total < 5:
        description = "Cancel-After must be at least 5 seconds"
        raise invalid_fields([{"type": "invalid", "field": "Cancel-After", "description": description}])
    return total * SECOND


def _record(request: Request) -> Record:
    record = room_of(request).predictions.get(request.path_params["id"])
    if record is None:
        raise not_found()
    return record


def _answer(request: Request, record: Record, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    room = room_of(request)
    latest = room.predictions.get(record.id) or record
    shown = view(latest, room.clock(), origin_of(request))
    if shown["status"] == "canceled" and latest.canceled is not None:
        shown["logs"] = None  # as recorded
    return answer(shown, status, headers)


def _row(record: Record, now: int, origin: str) -> Json:
    # No source confirms that Replicate's list rows include the webhook, so these rows omit it.
    return {key: value for key, value in view(record, now, origin).items() if not key.startswith("webhook")}


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise malformed(f"{text!r} is not a time in ISO 8601") from None
    if moment.tzinfo is None:
        raise malformed(f"{text!r} has no time zone")
    return int(moment.timestamp()) * SECOND + moment.microsecond * 1000
