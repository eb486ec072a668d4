"""The endpoints of /_standin, which the real Replicate does not have: faults, the ledger, pace, and limits."""

from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tasks.standin import prices
from tasks.standin.budget import Budget
from tasks.standin.faults import Rule
from tasks.standin.predictions import Record
from tasks.standin.problems import Problem
from tasks.standin.room import origin_of, room_of
from tasks.standin.timeline import view

T = TypeVar("T")


class Pace(msgspec.Struct, forbid_unknown_fields=True):
    """A new pace: the factor by which predictions take longer than usual from now on."""

    pace: float


class Limit(msgspec.Struct, forbid_unknown_fields=True):
    """New rate limits: created predictions a minute, how many of them at once, and other requests a minute."""

    creates_per_minute: int = 600
    burst: int | None = None
    others_per_minute: int = 3000


async def add_faults(request: Request) -> Response:
    """Handle POST /_standin/faults: add a list of rules after the existing ones."""
    room_of(request).faults.add(_read(await request.body(), list[Rule]))
    return Response(status_code=204)


async def list_faults(request: Request) -> Response:
    """Handle GET /_standin/faults: return the rules that are not used up."""
    return Response(msgspec.json.encode(room_of(request).faults.rules), media_type="application/json")


async def clear_faults(request: Request) -> Response:
    """Handle DELETE /_standin/faults."""
    room_of(request).faults.clear()
    return Response(status_code=204)


async def ledger(request: Request) -> Response:
    """Handle GET /_standin/ledger: return all predictions, oldest first, with their current status.

    Includes inputs that the API no longer shows, the webhook events that were asked for, the header `traceparent`, and
    what each is charged, in micro-dollars.
    """
    room = room_of(request)
    now, origin = room.clock(), origin_of(request)
    rows = [
        shown
        | {"input": record.input, "webhook_events_filter": record.events, "traceparent": record.traceparent}
        | {"charged": _charged(record, shown)}
        for record in room.predictions
        for shown in [view(record, now, origin)]
    ]
    return Response(msgspec.json.encode(rows), media_type="application/json")


def _charged(record: Record, shown: dict[str, Any]) -> int:
    return prices.charged(record.model, shown.get("metrics", {}))


async def pace(request: Request) -> Response:
    """Handle POST /_standin/pace."""
    room_of(request).pace = _read(await request.body(), Pace).pace
    return Response(status_code=204)


async def limit(request: Request) -> Response:
    """Handle POST /_standin/limit."""
    wanted = _read(await request.body(), Limit)
    room = room_of(request)
    room.creates, room.others = Budget(wanted.creates_per_minute, wanted.burst), Budget(wanted.others_per_minute)
    return Response(status_code=204)


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Problem(422, {"detail": str(error), "status": 422}) from None
