"""The state of a running stand-in."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from starlette.requests import Request

from tasks.standin.budget import Budget
from tasks.standin.faults import Faults
from tasks.standin.predictions import Predictions
from tasks.standin.uploads import Uploads


@dataclass
class Room:
    """The stand-in's state. clock: returns Unix nanoseconds."""

    predictions: Predictions
    uploads: Uploads
    pace: float
    token: str | None
    webhook_secret: str
    clock: Callable[[], int]
    creates: Budget = field(default_factory=lambda: Budget(600))
    others: Budget = field(default_factory=lambda: Budget(3000))
    faults: Faults = field(default_factory=Faults)
    sender: httpx.AsyncClient = field(init=False)
    """The client that sends webhooks. It exists only while the app runs."""
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(40))
    """Limits how many webhooks are sent at once, because httpx scans all its waiting requests at each response."""
    deliveries: set[asyncio.Task[None]] = field(default_factory=set)
    easels: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """Limits how many drawings are made at once."""


def room_of(request: Request) -> Room:
    """Return the room of the app that serves this request."""
    room: Room = request.app.state.room
    return room


def origin_of(request: Request) -> str:
    """Return the address of the stand-in in the client's request: scheme, host and port."""
    return str(request.base_url).rstrip("/")
