"""The stored predictions: each is one small record in a file, from which the clock alone derives everything else."""

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
    """A prediction as it was created, and the time when it was canceled, if any. Times are Unix nanoseconds."""

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
    """The address of the stand-in in the client's request: scheme, host and port, without a trailing slash."""
    webhook: str | None = None
    events: list[str] | None = None
    deadline: int | None = None
    canceled: int | None = None
    error: str | None = None
    """If not None, the prediction fails with this error."""
    output: Any = msgspec.UNSET
    """If set, the prediction's output instead of a drawing."""
    listed: int = 0
    """The time before which the list does not show the prediction."""
    traceparent: str | None = None
    """The header of that name in the client's request."""

    @property
    def started(self) -> int:
        """The time when the model starts, unless the prediction is canceled or aborted first."""
        return self.created + round(self.boot * SECOND)

    @property
    def ended(self) -> int:
        """The time when the model finishes, unless the prediction is canceled or aborted first."""
        return self.started + round(self.run * SECOND)

    @property
    def seed(self) -> int:
        """The input's seed, or one derived from the id, because models choose a random seed when none is given."""
        seed = self.input.get("seed")
        return seed if isinstance(seed, int) and seed >= 0 else int(sha256(self.id.encode()).hexdigest()[:4], 16)


def new_id() -> str:
    """Return a new id like Replicate's: 26 letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(26))


def durations(prediction: str, kind: str, pace: float) -> tuple[float, float]:
    """Return plausible seconds to boot and to run, always the same for the same id. pace: multiplies both."""
    chance = Random(sha256(prediction.encode()).digest())
    boot = chance.uniform(0.2, 0.5)
    run = chance.uniform(1, 2) if kind == "image" else chance.uniform(2, 3)
    return round(boot * pace, 6), round(run * pace, 6)


class Predictions:
    """All records, stored in a folder and loaded from it again by a later instance."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._records: dict[str, Record] = {}
        records = (msgspec.json.decode(path.read_bytes(), type=Record) for path in folder.glob("*.json"))
        for record in sorted(records, key=lambda record: record.created):
            self._records[record.id] = record

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records, oldest first."""
        return iter(list(self._records.values()))

    def get(self, prediction: str) -> Record | None:
        """Return the record with this id. Returns None when there is none."""
        return self._records.get(prediction)

    def save(self, record: Record) -> None:
        """Store a new or changed record atomically."""
        write(self.folder / f"{record.id}.json", msgspec.json.encode(record))
        self._records[record.id] = record


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see all of it or none."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    part.write_bytes(content)
    part.replace(path)
