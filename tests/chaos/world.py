"""The stand-in as the harness uses it: requested faults, what was paid for, and what was drawn."""

import asyncio
import re
import time
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import httpx
import msgspec

from tasks.standin.faults import Met, Rule
from tests.chaos.evidence import Outage, Prediction

THROTTLED = re.compile(r'"POST /v1/predictions[^"]*" 429')
CREATES_PER_MINUTE = 6000
"""The stand-in's limit: ten times Replicate's, so that a round ends although each 429 halves Darkroom's own pace."""
OTHERS_PER_MINUTE = 60_000
MET = re.compile(r" met (\{.*\})$", re.MULTILINE)
BETWEEN_TRIES = 0.3  # seconds
AWAY = 120.0  # the most seconds that the stand-in may be away


class World:
    """The control of a stand-in that may be killed and started again: each call is repeated until it is answered.

    log: the file to which the stand-in logs at debug. outages: the times in which it served nobody, including future
    ones.
    """

    def __init__(self, address: str, log: Path) -> None:
        self.address = address
        self._client = httpx.AsyncClient(base_url=address, timeout=30)
        self._log = log
        self._settings: dict[str, dict[str, float]] = {}
        self._lasting: list[tuple[Rule, float]] = []  # with the time when it is over
        self._others: list[Rule] = []
        self.outages: list[Outage] = []

    async def aclose(self) -> None:
        await self._client.aclose()

    async def prepare(self, pace: float, creates: int = CREATES_PER_MINUTE, others: int = OTHERS_PER_MINUTE) -> None:
        """Set how fast predictions are (1: about two seconds), and how many requests a minute are allowed."""
        self._settings = {
            "pace": {"pace": pace},
            "limit": {"creates_per_minute": creates, "others_per_minute": others},
        }
        await self.restore()

    async def note(self) -> None:
        """Record which faults are still to come, before the stand-in is killed and forgets them."""
        self._others = [rule for rule in await self._rules() if not rule.lasting and not rule.within]

    async def restore(self) -> None:
        """Send a restarted stand-in its settings and the recorded faults. Outages continue until their end."""
        for what, values in self._settings.items():
            await self._send("POST", what, values)
        now = time.time()
        lasting = [msgspec.structs.replace(rule, lasting=end - now) for rule, end in self._lasting if end > now]
        await self._send("POST", "faults", [*lasting, *self._others])

    async def script(self, rules: Sequence[Rule]) -> None:
        """Add faults."""
        if not rules:
            return
        await self._send("POST", "faults", rules)
        now = time.time()
        for rule in rules:
            if rule.lasting:
                self._lasting.append((rule, now + rule.lasting))
                self.outages.append(Outage(rule.on, now, now + rule.lasting))

    async def has_left(self, prompt: str) -> bool:
        """Return whether a fault is still to come for this prompt, apart from faults that always happen."""
        return any(rule.match == prompt and rule.times for rule in await self._rules())

    async def calm(self) -> None:
        """Remove all faults."""
        self._lasting = []
        await self._send("DELETE", "faults")

    async def predictions(self) -> list[Prediction]:
        """Return all predictions that were paid for, oldest first."""
        ledger = (await self._send("GET", "ledger")).json()
        return [
            Prediction(
                id=row["id"],
                prompt=row["input"].get("prompt", ""),
                status=row["status"],
                created=_milliseconds(row["created_at"]),
                ended=_milliseconds(row["completed_at"]) if "completed_at" in row else None,
                urls=_urls(row["output"]),
                charged=row["charged"],
            )
            for row in ledger
        ]

    async def drawn(self, url: str) -> str:
        """Return the sha256 of a file."""
        return sha256((await self._client.get(url)).raise_for_status().content).hexdigest()

    def met(self) -> list[Met]:
        """Return the requests that met a fault, oldest first."""
        return [msgspec.json.decode(told, type=Met) for told in MET.findall(self._log.read_text(errors="replace"))]

    def throttled(self) -> int:
        """Return how many creates were answered with 429."""
        return len(THROTTLED.findall(self._log.read_text(errors="replace")))

    async def _rules(self) -> list[Rule]:
        return msgspec.json.decode((await self._send("GET", "faults")).content, type=list[Rule])

    async def _send(self, method: str, what: str, body: object = None) -> httpx.Response:
        content = msgspec.json.encode(body) if body is not None else None
        deadline = time.monotonic() + AWAY
        while True:
            try:
                return (await self._client.request(method, f"/_standin/{what}", content=content)).raise_for_status()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(BETWEEN_TRIES)


def _milliseconds(text: str) -> int:
    """Return a time in Unix milliseconds.

    Creation times are reported in whole milliseconds, so all times are truncated to those.
    """
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _urls(output: object) -> tuple[str, ...]:
    if isinstance(output, str):
        return (output,)
    return tuple(map(str, output)) if isinstance(output, list) else ()
