"""Fault injection: tests add rules over HTTP that say what goes wrong next, and this module applies the rules."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tasks.standin.problems import of_status, throttled

log = logging.getLogger(__name__)

MAX_SUBJECT = 1000  # characters in the log
CLOUDFLARE = (
    "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<center><h1>502 Bad Gateway</h1></center>\n<hr>"
    "<center>cloudflare</center>\n</body>\n</html>\n"
)


class Rule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One fault, which happens `times` times (0: always).

    on: where the fault happens: create, get, cancel, list, model, models, versions, account, hardware, secret, upload,
    file (the download of an output), page (of a model), webhook, or any (all except these three). match: text that the
    prompt, or else the path, must contain. lasting: if set, the rule holds for `lasting` seconds, however often it is
    used. within: if set, the rule expires after `within` seconds, even if it was used fewer than `times` times. do:
    what happens:

    Before any work is done:
      status          respond with `status`, `headers`, and `body` or Replicate's own; a 429 reports `retry_after`
      html502         respond as Cloudflare does
      reset           close the connection
      hang            send nothing for `seconds`, then close the connection
    After the work is done:
      slow            send the response `seconds` late
      drop_answer     close the connection instead of sending the response
      hang_answer     send nothing for `seconds`, then close the connection
      truncate        send half the body, then close the connection
      stall           send half the body, then nothing for `seconds`, then close the connection
      deny            respond with `status`, as if no work had been done
    On create, for the prediction:
      fail_prediction it fails with `error` (null: without a reason)
      boot            it takes `seconds` to start
      run             it takes `seconds` to run
      output          its output is `output`
    On create, with any `do`: the prediction is not listed for `unlisted` seconds, and takes `running` seconds to run.
    On webhook:
      missing         it is not sent
      double          it is sent twice
      late            it is sent `seconds` late
    """

    on: str
    do: Literal[
        "status",
        "html502",
        "reset",
        "hang",
        "slow",
        "drop_answer",
        "hang_answer",
        "truncate",
        "stall",
        "deny",
        "fail_prediction",
        "boot",
        "run",
        "output",
        "missing",
        "double",
        "late",
    ]
    match: str = ""
    times: int = 1
    lasting: float = 0
    within: float = 0
    status: int = 500
    body: Any = None
    headers: dict[str, str] = {}
    retry_after: int = 1
    error: str | None = "The stand-in was told to fail this prediction."
    seconds: float = 0
    unlisted: float = 0
    running: float = 0
    output: Any = None


class Met(msgspec.Struct):
    """A request's match with a rule, logged at level DEBUG so that it is known even after the stand-in was killed.

    at: Unix seconds. subject: the request's prompt, or else its path or body.
    """

    at: float
    on: str
    subject: str
    rule: Rule


class Faults:
    """The rules in effect, in the order in which they were added."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules: list[tuple[Rule, float]] = []  # each with the time when it expires
        self._clock = clock

    @property
    def rules(self) -> list[Rule]:
        """The rules that are neither used up nor expired."""
        self._rules = [(rule, over_at) for rule, over_at in self._rules if self._clock() < over_at]
        return [rule for rule, _ in self._rules]

    def add(self, rules: Iterable[Rule]) -> None:
        """Add rules after the existing ones."""
        now = self._clock()
        self._rules += [(rule, now + (rule.lasting or rule.within or inf)) for rule in rules]

    def clear(self) -> None:
        """Delete all rules."""
        self._rules = []

    def take(self, on: str, subject: str) -> Rule | None:
        """Return the first rule that matches `on` and `subject`, and use it once. Returns None when no rule matches."""
        for rule in self.rules:
            if (rule.on == on or (rule.on == "any" and on not in ("file", "webhook"))) and rule.match in subject:
                if not rule.lasting:
                    rule.times -= 1
                if rule.times == 0:
                    self._rules = [(other, over_at) for other, over_at in self._rules if other is not rule]
                if log.isEnabledFor(logging.DEBUG):
                    met = Met(time.time(), on, subject[:MAX_SUBJECT], rule)
                    log.debug("met %s", msgspec.json.encode(met).decode())
                return rule
        return None


def rule_of(request: Request) -> Rule | None:
    """Return the rule that this request matched. Returns None when it matched no rule."""
    rule: Rule | None = request.state.rule
    return rule


def instead(rule: Rule) -> Response | None:
    """Return the response to send instead of doing the work. Returns None when the rule is not of that kind."""
    match rule.do:
        case "status":
            return _of_status(rule)
        case "html502":
            return Response(CLOUDFLARE, 502, media_type="text/html")
        case "reset":
            return Cut()
        case "hang":
            return Cut(after=rule.seconds)
        case _:
            return None


def afterwards(rule: Rule, response: Response) -> Response:
    """Return the response to send once the work is done: `response`, or what the rule turns it into."""
    match rule.do:
        case "slow":
            return Late(response, rule.seconds)
        case "drop_answer":
            return Cut()
        case "hang_answer":
            return Cut(after=rule.seconds)
        case "truncate":
            return Cut(response)
        case "stall":
            return Cut(response, rule.seconds)
        case "deny":
            return _of_status(rule)
        case _:
            return response


class Late(Response):
    """A response that is sent `after` seconds late."""

    def __init__(self, answer: Response, after: float) -> None:
        super().__init__()
        self.answer, self.after = answer, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send the response."""
        await asyncio.sleep(self.after)
        await self.answer(scope, receive, send)


class Cut(Response):
    """No response, or the first half of one. The connection closes `after` seconds later."""

    def __init__(self, half: Response | None = None, after: float = 0) -> None:
        super().__init__()
        self.half, self.after = half, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is, then close the connection."""
        if self.half is not None:
            await self.half(scope, receive, _halving(send))
        if self.after:
            await asyncio.sleep(self.after)
        # ASGI has no way to close a connection, so this reaches uvicorn's transport through uvicorn's receive().
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is None:
            raise RuntimeError("connections can be cut under uvicorn only")
        if self.half is None:
            transport.abort()
        else:
            transport.close()  # flushes the first half before it closes
        while (await receive())["type"] != "http.disconnect":
            pass


def _halving(send: Send) -> Send:
    over = False

    async def half(message: Message) -> None:
        nonlocal over
        if message["type"] == "http.response.body" and not over:
            over = True
            body = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        elif over:
            return
        await send(message)

    return half


def _of_status(rule: Rule) -> Response:
    problem = throttled(rule.retry_after) if rule.status == 429 else of_status(rule.status)
    if rule.body is not None:
        problem.body = rule.body
    problem.headers = rule.headers
    return problem.answer()
