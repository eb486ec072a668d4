"""The size of a round: a long one for `make chaos`, a short one for `make test`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The size of a round.

    storm: in seconds. blows: how many, besides the outages. rest: the most seconds that a killed process stays away.
    limit: seconds after the storm that the last job may take. lease: in seconds. slow: whether there are also outages,
    and faults from which it takes half a minute to recover.
    """

    jobs: int
    storm: float
    blows: int
    rest: float
    limit: float
    lease: int
    webs: int
    workers: int
    slow: bool


LONG = {
    "postgres": Size(jobs=300, storm=100, blows=37, rest=4, limit=300, lease=5, webs=2, workers=3, slow=True),
    "sqlite": Size(jobs=300, storm=100, blows=37, rest=4, limit=300, lease=5, webs=1, workers=1, slow=True),
}
SHORT = {
    "postgres": Size(jobs=40, storm=6, blows=11, rest=1, limit=150, lease=3, webs=1, workers=2, slow=False),
    "sqlite": Size(jobs=40, storm=6, blows=9, rest=1, limit=150, lease=3, webs=1, workers=1, slow=False),
}
