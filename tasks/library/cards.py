"""Read jobs from the database: one by its id, a page of a search's results, or those that changed since a moment."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeGuard
from uuid import UUID

from tasks.db import ids
from tasks.db.coalesce import Rounds
from tasks.db.tables import Attempt, Job, Output, Stage, Status
from tasks.jobs import estimates, queue
from tasks.library import card_query, filters
from tasks.library.card_query import NOBODY, Maker, Whole
from tasks.library.labels import NO_LABELS, Labels
from tasks.library.paging import Place, Sort, ids_around, ids_before, next_ids, number_before, number_found
from tasks.library.query import Search
from tasks.models.registry import SQUARE, WIDE, usual_size

MAX_COUNTED = 10_000  # the most jobs counted for a search; beyond this, it is only known that there are more


@dataclass(frozen=True, slots=True)
class Card:
    """A job as the gallery and the API show it.

    outputs: in the provider's order, without the discarded ones, which are in the trash alone. marks: the job's tags
    and collections. maker: whose it is. place: 1 for the next job to run; None when the job does not wait for its turn
    or, in a list, is far back. starts_at: when its turn will likely come; None when it has no place, or this is
    unknown.
    """

    job: Job
    outputs: list[Output]
    marks: Labels = NO_LABELS
    maker: Maker = NOBODY
    place: int | None = None
    starts_at: datetime | None = None
    discarded: list[Output] = field(default_factory=list)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that the user sent, by name."""
        return dict(json.loads(self.job.parameters))

    @property
    def all_outputs(self) -> list[Output]:
        """All outputs, with the discarded ones, by position."""
        return sorted([*self.outputs, *self.discarded], key=attrgetter("position"))

    @property
    def retrying(self) -> bool:
        """Whether the job waits for a retry: for another attempt, whether it counts or not, or to continue its own."""
        tried = self.job.retry_count > 0 or self.job.attempt is not None or self.job.error is not None
        return self.job.status == Status.QUEUED and tried

    @property
    def starting_since(self) -> datetime | None:
        """When the wait for Replicate to start the model began, else None. It may take minutes, and is no failure."""
        if self.job.status != Status.RUNNING or self.job.stage != Stage.STARTING or self.job.attempt is None:
            return None
        return ids.moment_of(self.job.attempt)

    @property
    def deleted(self) -> bool:
        """Whether only the tombstone is left."""
        return self.job.deleted_at is not None

    @property
    def size(self) -> tuple[int, int]:
        """The width and height in pixels: of the first output, else as expected. A sound is drawn wide."""
        if self.outputs and self.outputs[0].width and self.outputs[0].height:
            return self.outputs[0].width, self.outputs[0].height
        if self.outputs and self.outputs[0].kind == "audio":
            return WIDE
        return expected_size(self.parameters, usual_size(self.job.model))


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt. version: what ran: owner/name, or owner/name:version. metrics: as JSON; None for none."""

    version: str
    metrics: str | None


async def by_id(job_id: UUID) -> Card | None:
    """Return one job, even a deleted one, or None. It has its place however far back it is."""
    return await _looked_up(job_id)


async def _look_up(job_ids: list[UUID]) -> list[Card | None]:
    wanted = list(set(job_ids))  # many callers request the same job
    found = [_card(whole) for whole in await card_query.read("WHERE {}", Job.id.is_in(wanted).querystring)]
    known = {card.job.id: card for card in await placed(found)}
    return [known.get(job_id) for job_id in job_ids]


_looked_up = Rounds(_look_up, 100)


async def placed(cards: list[Card]) -> list[Card]:
    """Return the cards with their places, however far back they are."""
    waiting = [card.job for card in cards if card.job.status == Status.QUEUED and card.place is None]
    if not waiting:
        return cards
    places = await queue.places(waiting)
    return await _with_starts([replace(card, place=places.get(card.job.id, card.place)) for card in cards])


async def by_ids(job_ids: Sequence[UUID]) -> list[Card]:
    """Return these jobs, including deleted ones, newest first. Leaves out unknown ids."""
    if not job_ids:
        return []
    given = Job.id.is_in(list(job_ids)).querystring
    return await _as_cards(await card_query.read("WHERE {} ORDER BY job.id DESC", given))


async def page(search: Search, sort: Sort, place: Place | None, count: int) -> tuple[list[Card], Place | None]:
    """Return the next `count` jobs that a search finds from a place, in order, and the next page's place, if any."""
    ids = await next_ids(search, sort, place, count + 1)
    found = {card.job.id: card for card in await by_ids(ids[:count])}
    shown = [found[job_id] for job_id in ids[:count] if job_id in found]
    return shown, Place.behind(shown[-1].job, sort) if len(ids) > count and shown else None


async def page_before(search: Search, sort: Sort, place: Place, count: int) -> tuple[list[Card], bool]:
    """Return the `count` jobs directly before the job of a place, in order, and whether there are more before them."""
    ids = await ids_before(search, sort, place, count + 1)
    found = {card.job.id: card for card in await by_ids(ids[-count:])}
    return [found[job_id] for job_id in ids[-count:] if job_id in found], len(ids) > count


async def any_before(search: Search, sort: Sort, place: Place) -> bool:
    """Return whether a search finds jobs before the job of a place."""
    return bool(await ids_before(search, sort, place, 1))


async def neighbors(job_id: UUID, search: Search, sort: Sort) -> tuple[UUID | None, UUID | None]:
    """Return the ids of the jobs before and after one in the grid's order, among those that a search finds."""
    job = await Job.objects().get(Job.id == job_id)
    return await ids_around(search, sort, job) if job else (None, None)


async def position(job: Job, search: Search, sort: Sort, most: int = MAX_COUNTED) -> int | None:
    """Return the place of a job, from 1 on, in the grid's order among the jobs that a search finds.

    Returns None when the search does not find it, or when it comes after the first `most`.
    """
    if not await found_among([job.id], search):
        return None
    before = await number_before(search, sort, job, most)
    return before + 1 if before < most else None


async def count(search: Search, most: int = MAX_COUNTED) -> int:
    """Return how many jobs a search finds: exact up to `most`, and `most` + 1 when there are more."""
    return await number_found(search, most + 1)


async def found_among(job_ids: Sequence[UUID], search: Search) -> set[UUID]:
    """Return which of these jobs a search finds."""
    rows = await Job.raw("{}", filters.among(search, job_ids)) if job_ids else []
    return {row["id"] for row in rows}


async def changed_since(moment: datetime, count: int) -> list[Card]:
    """Return up to `count` jobs that changed at `moment` or later, including deleted ones, in order of change."""
    changed = "WHERE job.changed_at >= {} ORDER BY job.changed_at LIMIT {}"
    return await _as_cards(await card_query.read(changed, moment, count))


async def changes_since(moment: datetime, count: int, but: Collection[datetime] = ()) -> dict[UUID, datetime]:
    """Return up to `count` jobs that changed at `moment` or later, but not at the moments `but`: id -> moment."""
    query = Job.select(Job.id, Job.changed_at).where(Job.changed_at >= moment)
    if but:
        query = query.where(Job.changed_at.not_in(list(but)))
    return {row["id"]: row["changed_at"] for row in await query.order_by(Job.changed_at).limit(count)}


async def waiting() -> list[Card]:
    """Return the jobs at the front of the queue."""
    return await by_ids(list(await queue.front()))


async def attempts(job_id: UUID) -> list[Attempt]:
    """Return the attempts at a job, first to last."""
    return await Attempt.objects().where(Attempt.job == job_id).order_by(Attempt.number)


async def last_runs(job_ids: Collection[UUID]) -> dict[UUID, Run]:
    """Return the last attempt at each of these jobs that has one."""
    if not job_ids:
        return {}
    columns = (Attempt.job, Attempt.version, Attempt.metrics)
    rows = await Attempt.select(*columns).where(Attempt.job.is_in(list(job_ids))).order_by(Attempt.number)
    return {row["job"]: Run(row["version"], row["metrics"]) for row in rows}


async def _as_cards(found: list[Whole]) -> list[Card]:
    places = await queue.front() if any(job.status == Status.QUEUED for job, *_ in found) else {}
    return await _with_starts([_card(whole, places.get(whole[0].id)) for whole in found])


def _card(whole: Whole, place: int | None = None) -> Card:
    job, outputs, labels, maker = whole
    shown, discarded = ([row for row in outputs if (row.trashed_at is None) == is_shown] for is_shown in (True, False))
    return Card(job, shown, labels, maker, place, discarded=discarded)


async def _with_starts(cards: list[Card]) -> list[Card]:
    if not (waiting := {card.job.model for card in cards if card.place}):
        return cards
    outlook = await estimates.outlook(waiting)
    return [
        replace(card, starts_at=outlook.start(card.job.model, card.place)) if card.place else card for card in cards
    ]


def expected_size(parameters: dict[str, Any], usual: tuple[int, int] = SQUARE) -> tuple[int, int]:
    """Return the likely size in pixels of a result of these parameters. usual: the size when they do not specify it."""
    width, height = parameters.get("width"), parameters.get("height")
    if _is_length(width) and _is_length(height):
        return int(width), int(height)
    across, _, down = str(parameters.get("aspect_ratio", "")).partition(":")
    if across.isdigit() and down.isdigit() and int(across) and int(down):
        return 1024 * int(across) // int(down) or 1, 1024
    return usual


def _is_length(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 100_000
