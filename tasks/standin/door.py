"""The checks that every API request passes: the token, the rate limit, and injected faults."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tasks.standin.faults import afterwards, instead
from tasks.standin.problems import Json, Problem, malformed, throttled, unauthenticated
from tasks.standin.room import Room, room_of

Endpoint = Callable[[Request], Awaitable[Response]]


def guarded(on: str, endpoint: Endpoint) -> Endpoint:
    """Wrap the endpoint with the token check, the rate limit, and the faults for `on`."""

    async def guard(request: Request) -> Response:
        room = room_of(request)
        _check_token(request, room)
        budget = room.creates if on == "create" else room.others
        wait = budget.take(room.clock())
        try:
            if wait:
                raise throttled(wait)
            response = await faulty(on, endpoint)(request)
        except Problem as problem:
            response = problem.answer()
        response.headers.update(budget.headers())
        return response

    return guard


def faulty(on: str, endpoint: Endpoint) -> Endpoint:
    """Wrap the endpoint with the faults for `on`."""

    async def meet(request: Request) -> Response:
        room = room_of(request)
        rule = room.faults.take(on, await _subject(request, room)) if room.faults.rules else None
        request.state.rule = rule
        if rule is None:
            return await endpoint(request)
        return instead(rule) or afterwards(rule, await endpoint(request))

    return meet


async def body_of(request: Request) -> Json:
    """Return the JSON object in the body. Raises Problem (400) when the body is not one."""
    try:
        return msgspec.json.decode(await request.body(), type=Json)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise malformed(f"The request body is not valid JSON: {error}") from None
    except RecursionError:
        raise malformed("The request body is not valid JSON: it is nested too deeply") from None


async def _subject(request: Request, room: Room) -> str:
    record = room.predictions.get(request.path_params.get("id", ""))
    if record is not None:
        return str(record.input.get("prompt", ""))
    return request.url.path if request.method != "POST" else (await request.body()).decode(errors="replace")


def _check_token(request: Request, room: Room) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme not in ("Bearer", "Token") or not token or token != (room.token or token):
        raise unauthenticated()
