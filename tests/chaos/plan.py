"""The plan of a storm, made from the seed: which blow falls when, and how long its victim is away."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from tasks.standin.faults import Rule
from tests.chaos.fates import trouble
from tests.chaos.size import Size

EACH = (
    "kill worker",
    "kill web",
    "stop worker",
    "stop web",
    "pause worker",
    "pause storing",
    "kill valkey",
    "empty valkey",
    "trouble it",
)
ON_POSTGRES = ("restart postgres", "crash postgres")
OFTEN = ("kill worker", "kill worker", "kill web", "empty valkey", "trouble it")
"""The kinds that come once more in each turn."""

LONG_OUTAGE = (20.0, 60.0)  # seconds
BRIEF_OUTAGE = (4.0, 10.0)  # seconds
BETWEEN_OUTAGES = (8.0, 15.0)  # seconds
OUTAGE_OF_FILES = 60.0  # seconds


@dataclass(frozen=True)
class Blow:
    """One event, `at` seconds into the storm.

    pause: seconds until the victim is back. rules: what goes wrong at the stand-in, where the stand-in is the victim.
    """

    at: float
    what: str
    victim: int
    pause: float
    rules: tuple[Rule, ...] = ()


def plan(chance: Random, size: Size, postgres: bool) -> list[Blow]:
    """Plan `size.blows` blows within `size.storm` seconds.

    Each kind comes once before any comes again. Each outage comes once.
    """
    kinds, planned = _kinds(chance, postgres), []
    for number in range(size.blows):
        what, at = next(kinds), size.storm * (number + chance.random()) / size.blows
        rules = trouble(chance, size.slow) if what == "trouble it" else ()
        planned.append(Blow(at, what, chance.randrange(1000), _pause(chance, what, size, postgres), rules))
    if size.slow:
        planned += _outages(chance, size.storm)
    return sorted(planned, key=lambda blow: blow.at)


def _kinds(chance: Random, postgres: bool) -> Iterator[str]:
    turn = [*EACH, *(ON_POSTGRES if postgres else ())]
    while True:
        chance.shuffle(turn)
        yield from turn
        again = list(OFTEN)
        chance.shuffle(again)
        yield from again


def _pause(chance: Random, what: str, size: Size, postgres: bool) -> float:
    if what == "pause storing" and postgres:  # until another worker has taken over the job and ended it differently
        return 2 * size.lease + chance.uniform(5, 10)
    if what.startswith("pause"):
        return size.lease * chance.uniform(1.4, 2)
    return chance.choice([0, chance.uniform(0, size.rest)])


def _outages(chance: Random, storm: float) -> list[Blow]:
    """Plan three outages: Replicate answers only with errors, is unreachable, and its files are unavailable.

    One of the first two is long and the other is brief. They never overlap; the third may come at any time.
    """
    lengths = [chance.uniform(*LONG_OUTAGE), chance.uniform(*BRIEF_OUTAGE)]
    errors, cut = chance.sample(lengths, 2)
    error = chance.choice([Rule("any", "html502", lasting=errors), Rule("any", "status", status=503, lasting=errors)])
    in_turn = [Blow(0, "outage api", 0, errors, (error,)), Blow(0, "outage network", 0, cut)]
    chance.shuffle(in_turn)
    first, second = in_turn
    start = 0.06 * storm
    files = Rule("file", "status", status=503, lasting=OUTAGE_OF_FILES)
    return [
        replace(first, at=start),
        replace(second, at=start + first.pause + chance.uniform(*BETWEEN_OUTAGES)),
        Blow(storm * chance.uniform(0.1, 0.35), "outage files", 0, OUTAGE_OF_FILES, (files,)),
    ]
