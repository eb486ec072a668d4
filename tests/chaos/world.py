"""The stand-in as the harness uses it: faults on order, what was paid for, and what was drawn."""

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import httpx
import msgspec

from tasks.standin.faults import Rule
from tests.chaos.evidence import Prediction

THROTTLED = re.compile(r'"POST /v1/predictions[^"]*" 429')
CREATES_PER_MINUTE = 6000
"""What the stand-in allows: ten times Replicate's limit, so that a round ends although each 429 halves our own pace."""
OTHERS_PER_MINUTE = 60_000


class World:
    """The control of a stand-in. faults: how many were ordered so far; those that hold for ever do not count."""

    def __init__(self, address: str, log: Path) -> None:
        self._client = httpx.AsyncClient(base_url=address, timeout=30)
        self._log = log
        self._ordered = 0

    async def aclose(self) -> None:
        await self._client.aclose()

    async def prepare(self, pace: float, creates: int = CREATES_PER_MINUTE, others: int = OTHERS_PER_MINUTE) -> None:
        """Set how quick predictions are (1: two seconds or so), and how much may be asked for a minute."""
        await self._send("POST", "pace", {"pace": pace})
        await self._send("POST", "limit", {"creates_per_minute": creates, "others_per_minute": others})

    async def script(self, rules: Sequence[Rule]) -> None:
        """Have things go wrong."""
        self._ordered += sum(rule.times for rule in rules)
        if rules:
            await self._send("POST", "faults", rules)

    async def calm(self) -> int:
        """Have nothing go wrong any more. Answers how many faults somebody met."""
        answer = await self._send("GET", "faults")
        left = sum(rule.times for rule in msgspec.json.decode(answer.content, type=list[Rule]) if rule.times > 0)
        await self._send("DELETE", "faults")
        met, self._ordered = self._ordered - left, 0
        return met

    async def predictions(self) -> list[Prediction]:
        """Everything that was paid for, oldest first."""
        ledger = (await self._send("GET", "ledger")).json()
        return [
            Prediction(
                id=row["id"],
                prompt=row["input"].get("prompt", ""),
                status=row["status"],
                created=_milliseconds(row["created_at"]),
                ended=_milliseconds(row["completed_at"]) if "completed_at" in row else None,
                urls=_urls(row["output"]),
            )
            for row in ledger
        ]

    async def drawn(self, url: str) -> str:
        """The sha256 of a file."""
        return sha256((await self._client.get(url)).raise_for_status().content).hexdigest()

    def throttled(self) -> int:
        """How many creates were answered with 429."""
        return len(THROTTLED.findall(self._log.read_text(errors="replace")))

    async def _send(self, method: str, what: str, body: object = None) -> httpx.Response:
        content = msgspec.json.encode(body) if body is not None else None
        return (await self._client.request(method, f"/_standin/{what}", content=content)).raise_for_status()


def _milliseconds(text: str) -> int:
    """Creations are told in whole milliseconds, so all times are cut to those."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _urls(output: object) -> tuple[str, ...]:
    if isinstance(output, str):
        return (output,)
    return tuple(map(str, output)) if isinstance(output, list) else ()
