"""Everything in a round: Darkroom, its rows, the world around it, its visitors, and the toll."""

import time
from dataclasses import dataclass, field

from tests.chaos.listeners import Listeners
from tests.chaos.place import Site
from tests.chaos.records import Records
from tests.chaos.visitors import Visitors
from tests.chaos.world import World


@dataclass
class Toll:
    """What the storm has done.

    struck: when a worker, the database or the stand-in had no chance to end in order (Unix seconds). late: which
    processes did not end in time. deaths: which processes ended without being asked to.
    """

    kills: int = 0
    struck: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scene:
    """Everything that a blow may strike, and the observers."""

    site: Site
    records: Records
    world: World
    visitors: Visitors
    listeners: Listeners
    toll: Toll = field(default_factory=Toll)

    def note(self, words: str) -> None:
        """Log what happens now, for readers of the logs."""
        with (self.site.folder / "logs" / "storm.log").open("a") as log:
            print(f"{time.strftime('%H:%M:%S')} {words}", file=log)
