"""How large a round is: a long one for `make chaos`, a short one for `make test`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How large a round is.

    storm: seconds. blows: how many, besides the outages. rest: seconds that who was killed stays away at most. limit:
    seconds after the storm that the last job may take. lease: seconds. slow: whether there are faults, too, that take
    half a minute to get over, and outages.
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
