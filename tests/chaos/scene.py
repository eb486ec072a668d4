"""What there is in a round, all together: Darkroom, its rows, the world around it, those who use it, and the toll."""

import time
from dataclasses import dataclass, field

from tests.chaos.place import Site
from tests.chaos.records import Records
from tests.chaos.visitors import Visitors
from tests.chaos.world import World


@dataclass
class Toll:
    """What the storm has done.

    struck: when a worker, the database or the stand-in had no chance to end in order (Unix seconds). late: who did not
    end in time. deaths: who ended without being told to.
    """

    kills: int = 0
    struck: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scene:
    """Everything that a blow may fall on, and those who look."""

    site: Site
    records: Records
    world: World
    visitors: Visitors
    toll: Toll = field(default_factory=Toll)

    def note(self, words: str) -> None:
        """Write down what happens now, for who reads the logs."""
        with (self.site.folder / "logs" / "storm.log").open("a") as log:
            print(f"{time.strftime('%H:%M:%S')} {words}", file=log)
