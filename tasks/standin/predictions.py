"""The predictions there are: one small record each, in a file, from which time alone makes all the rest."""

import secrets
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import msgspec

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, as in Replicate's newer ids
SECOND = 1_000_000_000


class Record(msgspec.Struct, omit_defaults=True):
    """What is known of a prediction when it is created, and whether it was canceled. Times are Unix nanoseconds."""

    id: str
    model: str
    version: str
    input: dict[str, Any]
    created: int
    boot: float
    """Seconds from creation to start."""
    run: float
    """Seconds from start to end."""
    origin: str
    """Where the stand-in was reached: scheme, host and port, without a slash at the end."""
    webhook: str | None = None
    events: list[str] | None = None
    deadline: int | None = None
    canceled: int | None = None
    error: str | None = None
    """With this, the prediction fails."""
    output: Any = msgspec.UNSET
    """With this, the prediction's output is this and no drawing."""
    listed: int = 0
    """The list does not show it before that."""

    @property
    def started(self) -> int:
        """When the model starts, if nothing comes between."""
        return self.created + round(self.boot * SECOND)

    @property
    def ended(self) -> int:
        """When the model is done, if nothing comes between."""
        return self.started + round(self.run * SECOND)

    @property
    def seed(self) -> int:
        """The input's seed, or one from the id, as models draw one by chance where none is given."""
        seed = self.input.get("seed")
        return seed if isinstance(seed, int) and seed >= 0 else int(sha256(self.id.encode()).hexdigest()[:4], 16)


def new_id() -> str:
    """An id like Replicate's: 26 letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(26))


def durations(prediction: str, kind: str, pace: float) -> tuple[float, float]:
    """Seconds to boot and to run: from the id, so believable and always the same; pace stretches both."""
    chance = Random(sha256(prediction.encode()).digest())
    boot = chance.uniform(0.2, 0.5)
    run = chance.uniform(1, 2) if kind == "image" else chance.uniform(2, 3)
    return round(boot * pace, 6), round(run * pace, 6)


class Predictions:
    """All records, kept in a folder: who opens the folder again finds them again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._records: dict[str, Record] = {}
        records = (msgspec.json.decode(path.read_bytes(), type=Record) for path in folder.glob("*.json"))
        for record in sorted(records, key=lambda record: record.created):
            self._records[record.id] = record

    def __iter__(self) -> Iterator[Record]:
        """Oldest first."""
        return iter(list(self._records.values()))

    def get(self, prediction: str) -> Record | None:
        """The record with this id."""
        return self._records.get(prediction)

    def save(self, record: Record) -> None:
        """Keep a new or changed record, whole or not at all."""
        write(self.folder / f"{record.id}.json", msgspec.json.encode(record))
        self._records[record.id] = record


def write(path: Path, content: bytes) -> None:
    """Write a file so that readers see all of it or none."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    part.write_bytes(content)
    part.replace(path)
