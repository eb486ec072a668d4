"""Submitting a job for a program that speaks another API: the same as POST /generate does, with another answer."""

from collections.abc import Mapping
from typing import Any

from litestar import Request

from tasks.admission.admission import admit
from tasks.library.cards import Card
from tasks.replicate.client import Replicate
from webapp.http.authentication import actor_of
from webapp.http.idempotency import key_of, named
from webapp.http.requests import terms_for
from webapp.http.waiters import waited


async def submitted(
    request: Request[Any, Any, Any],
    replicate: Replicate,
    origin: str,
    prompt: object,
    model: object,
    parameters: Mapping[str, Any],
    seconds: float = 0,
    key: str | None = None,
    **terms: object,
) -> tuple[Card, bool]:
    """Submit a job as an idempotent request, and wait for its end. Returns it, and whether it was made before.

    origin: the door that it comes in by. seconds: to wait at most. key: the idempotency key, where it is not in the
    header. terms: see Options. Raises what admit() raises, and Problem.
    """
    said = {"prompt": prompt, "model": model, "parameters": dict(parameters), **terms}
    once = named(key, request, said) if key else key_of(request, said)
    wanted = terms_for(request, once, origin, **terms)
    job, replayed = await admit(prompt, model, parameters, replicate, wanted)
    card, _ = await waited(request.app.state.hub.waiters, str(job.id), actor_of(request), seconds)
    return card, replayed
