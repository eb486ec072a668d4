"""Webhooks to the client: signed as in Standard Webhooks, with retries of the final one for a minute."""

import asyncio
import hmac
import secrets
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

import httpx
import msgspec

from tasks.standin.faults import Rule
from tasks.standin.outputs import output
from tasks.standin.predictions import SECOND, Record
from tasks.standin.room import Room
from tasks.standin.timeline import TERMINAL, outcome, view

DEFAULT_EVENTS = ["output", "completed"]
RETRY_AFTER = [1, 2, 4, 8, 16, 29]  # seconds; the last attempt is a minute after the first
LOGS_EVERY = SECOND // 2
LOOK_EVERY = 0.05  # seconds; longer when more than CALM predictions have webhooks to send
CALM = 50


def deliver(room: Room, record: Record) -> None:
    """Start a background task that sends all requested events to the prediction's webhook from now on."""
    task = asyncio.create_task(_follow(room, record.id))
    room.deliveries.add(task)
    task.add_done_callback(room.deliveries.discard)


def signed(secret: str, message: str, moment: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery. moment: in Unix seconds."""
    key = b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{moment}.".encode() + body, sha256).digest()
    signature = f"v1,{b64encode(digest).decode()}"
    return {"webhook-id": message, "webhook-timestamp": str(moment), "webhook-signature": signature}


async def _follow(room: Room, prediction: str) -> None:
    seen, spoken = "starting", 0
    printed = ""
    while record := room.predictions.get(prediction):
        now = room.clock()
        if outcome(record, now)[0] == seen and "logs" not in (record.events or DEFAULT_EVENTS):
            await _pause(room)  # a whole view is too much work where nothing can have changed
            continue
        shown = view(record, now, record.origin)
        if seen == "starting" and "started_at" in shown:
            await _tell(room, record, "start", _under_way(shown) | {"logs": ""})
        if shown["logs"] != printed and now - spoken >= LOGS_EVERY and shown["status"] == "processing":
            printed, spoken = shown["logs"], now
            await _tell(room, record, "logs", shown)
        if shown["status"] == "succeeded":
            await _tell(room, record, "output", _under_way(shown) | {"output": output(record, record.origin)})
        if shown["status"] in TERMINAL:
            return await _tell(room, record, "completed", shown)
        seen = shown["status"]
        await _pause(room)
    return None


async def _pause(room: Room) -> None:
    await asyncio.sleep(LOOK_EVERY * min(1, room.pace) * max(1, len(room.deliveries) / CALM))


def _under_way(shown: dict[str, Any]) -> dict[str, Any]:
    ended = {"completed_at", "metrics"}
    return {key: value for key, value in shown.items() if key not in ended} | {"status": "processing", "output": None}


async def _tell(room: Room, record: Record, event: str, shown: dict[str, Any]) -> None:
    if event not in (record.events or DEFAULT_EVENTS) or record.webhook is None:
        return
    rule = room.faults.take("webhook", str(record.input.get("prompt", "")))
    if rule and rule.do == "missing":
        return
    if rule and rule.do == "late":
        await asyncio.sleep(rule.seconds)
    body = msgspec.json.encode({key: value for key, value in shown.items() if key != "source"}, order="sorted")
    message = f"msg_{secrets.token_urlsafe(20)}"
    for _ in range(_copies(rule)):
        await _send(room, record.webhook, message, body, [0, *RETRY_AFTER] if event == "completed" else [0])


def _copies(rule: Rule | None) -> int:
    return 2 if rule and rule.do == "double" else 1


async def _send(room: Room, url: str, message: str, body: bytes, waits: list[int]) -> None:
    for wait in waits:
        await asyncio.sleep(wait * room.pace)
        headers = signed(room.webhook_secret, message, room.clock() // SECOND, body)
        headers |= {"content-type": "application/json", "user-agent": "Webhooks/1.66.0 (sender-9YMgn)"}
        try:
            async with room.turns:
                answer = await room.sender.post(url, content=body, headers=headers)
        except httpx.TransportError:
            continue
        if answer.status_code < 400:  # a redirect is not followed, and counts as delivered
            return
