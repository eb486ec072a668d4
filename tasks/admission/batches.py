"""Batches: the prints of a prompt matrix, checked and submitted as one, and their progress."""

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tasks.admission import admission
from tasks.admission.admission import known_model
from tasks.admission.matrix import MAX_PRINTS, Axis, Cell, Parts, Unreadable, expand, read, size
from tasks.admission.options import DEFAULTS, Options, allow
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import ENDED, Batch, Job, Status
from tasks.errors import Fault, Rejected, reject
from tasks.files import input_files
from tasks.jobs import backlog, bulk
from tasks.library import cards
from tasks.library.cards import Card
from tasks.models.registry import MAX_SEED, Model, keep
from tasks.models.strict_json import LEAST, MOST
from tasks.replicate.client import Replicate
from tasks.settings import settings


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a batch. size: the number of all its jobs. counts: jobs by status, without deleted ones."""

    size: int
    counts: Mapping[str, int]

    @property
    def deleted(self) -> int:
        """The number of jobs that have been deleted since."""
        return self.size - sum(self.counts.values())

    @property
    def ended(self) -> int:
        """The number of jobs that have ended, including deleted ones."""
        return self.deleted + sum(self.counts[status] for status in ENDED)

    @property
    def unfinished(self) -> bool:
        """Whether any job is left to wait for or to cancel."""
        return self.ended < self.size


@dataclass(frozen=True, slots=True)
class Checked:
    """A matrix all of whose combinations passed every check. names: of the models, as they were requested."""

    names: list[str]
    models: list[Model]
    axes: list[Axis]
    cells: list[Cell]
    parameters: Mapping[str, Any]

    @property
    def requests(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        """The prompt, the model's name and the parameters of each job, in the order of their places."""
        return [(cell.prompt, cell.model, _arguments(cell, self.parameters)) for cell in self.cells]


async def submit(
    prompt: object,
    models: object,
    seeds: object,
    parameters: object,
    replicate: Replicate,
    terms: Options = DEFAULTS,
    unknown: Sequence[Fault] = (),
) -> tuple[Batch, list[Job]]:
    """Check every combination as a separate request, and submit all of them as jobs, or none.

    Raises QueueFull, and what checked() raises. When it raises, nothing has changed.
    """
    matrix = await checked(prompt, models, seeds, parameters, replicate, terms, unknown)
    client = await backlog.client_in_line(terms.client)
    await backlog.make_room({client: len(matrix.cells)}, matrix.names)
    for model in matrix.models:
        await keep(model)
    axes = _axes_json(matrix.axes, seeds)
    batch = Batch(id=ids.new(), prompt=prompt, axes=axes, jobs=len(matrix.cells), created_at=now())
    made = await bulk.submit_all(
        batch,
        matrix.requests,
        client,
        terms.urgency,
        terms.seconds,
        terms.source,
        terms.owner,
        terms.address,
    )
    return batch, made


async def checked(
    prompt: object,
    models: object,
    seeds: object,
    parameters: object,
    replicate: Replicate,
    terms: Options = DEFAULTS,
    unknown: Sequence[Fault] = (),
) -> Checked:
    """Check every combination as a separate request.

    models: a list of names; None for the default model. seeds: a list, or the number of random seeds; None for the
    default of each model. The other parameters are as for a single job. Raises Rejected, and Failure when Replicate has
    to be asked about a model and does not answer.
    """
    given, faults = admission.given_parameters(parameters)
    faults = [*admission.prompt_faults(prompt), *_models_faults(models), *_seeds_faults(seeds), *faults]
    reject([*faults, *await terms.faults()], unknown)
    assert isinstance(prompt, str)
    names = list(dict.fromkeys(models)) if isinstance(models, list) else [settings.default_model]
    allow(terms.models, names)
    parts = measured(prompt, names, seeds)
    known = [await known_model(name, replicate, f"/models/{place}") for place, name in enumerate(names)]
    reject(_seed_faults(seeds, known, given))
    axes, cells = expand(parts, names, _chosen(seeds, known))
    reject(await _cells_faults(cells, {model.name: model for model in known}, given, terms.sees_only))
    return Checked(names, known, axes, cells, given)


def measured(prompt: str, names: Sequence[str], seeds: object) -> Parts:
    """Return a parsed prompt matrix. Raises Rejected when it cannot be read or makes too many prints."""
    try:
        parts = read(prompt)
    except Unreadable as unreadable:
        raise Rejected("invalid_prompt", [Fault("/prompt", str(unreadable))]) from unreadable
    most = largest()
    if (count := size(parts, names, seeds if isinstance(seeds, int | list) else None)) > most:
        raise Rejected("too_many", [Fault("", f"That makes {in_figures(count)} prints; the maximum is {most}.")])
    return parts


def largest() -> int:
    """Return the maximum number of prints of a matrix, which is at most the number of jobs that may wait."""
    return min(MAX_PRINTS, settings.max_waiting, settings.max_waiting_per_client)


def in_figures(count: int) -> str:
    """Return a number in figures, or words when it is too large to be readable."""
    return f"{count:,}" if count < 10**9 else "far too many"


async def find(batch_id: UUID, sees_only: UUID | None = None) -> Batch | None:
    """Return the batch with this id, or None. sees_only: the person whose batches are all that there are."""
    batch = await Batch.objects().get(Batch.id == batch_id)
    others = (Job.batch == batch_id) & (Job.owner.is_null() | (Job.owner != sees_only))
    return None if batch and sees_only and await Job.exists().where(others) else batch


async def prints(batch: Batch) -> list[Card]:
    """Return the jobs of a batch, including deleted ones, sorted by place."""
    rows = await Job.select(Job.id).where(Job.batch == batch.id)
    return sorted(await cards.by_ids([row["id"] for row in rows]), key=lambda card: card.job.batch_place)


async def progress(batch: Batch) -> Progress:
    """Return the progress of a batch."""
    rows = await Job.raw(
        "SELECT status, count(*) AS jobs FROM job WHERE batch = {} AND deleted_at IS NULL GROUP BY status", batch.id
    )
    found = {row["status"]: row["jobs"] for row in rows}
    return Progress(batch.jobs, {status: found.get(status, 0) for status in Status})


def axes(batch: Batch) -> list[dict[str, Any]]:
    """Return the axes of a batch, the slowest first: name and values, and for random seeds that they are random."""
    return list(json.loads(batch.axes))


def _models_faults(models: object) -> list[Fault]:
    if models is None:
        return []
    if not isinstance(models, list) or not models:
        return [Fault("/models", "The models must be a list of at least one name.")]
    if len(models) > MAX_PRINTS:
        return [Fault("/models", f"There are {len(models):,} models; the maximum is {MAX_PRINTS}.")]
    return [fault for place, name in enumerate(models) for fault in admission.model_faults(name, f"/models/{place}")]


def _seeds_faults(seeds: object) -> list[Fault]:
    if seeds is None:
        return []
    if type(seeds) is int:  # in Python, True is an int
        return (
            []
            if 1 <= seeds <= MAX_PRINTS
            else [Fault("/seeds", f"The number of seeds must be from 1 to {MAX_PRINTS}.")]
        )
    if not isinstance(seeds, list) or not seeds:
        return [Fault("/seeds", "The seeds must be a list of whole numbers, or a number of random seeds.")]
    return [
        Fault(f"/seeds/{place}", "A seed must be a whole number that fits in 64 bits.")
        for place, seed in enumerate(seeds)
        if type(seed) is not int or not LEAST <= seed <= MOST
    ][:MAX_PRINTS]


def _seed_faults(seeds: object, known: Sequence[Model], parameters: Mapping[str, Any]) -> list[Fault]:
    if seeds is None:
        return []
    if "seed" in parameters:
        return [Fault("/seeds", "The parameters already contain a seed. Use one or the other.")]
    return [Fault("/seeds", f"{model.name} does not accept a seed.") for model in known if model.largest_seed is None]


def _chosen(seeds: object, known: Sequence[Model]) -> list[int]:
    """Return the seeds: those listed, or the requested number of random ones that every model accepts."""
    if isinstance(seeds, list):
        return list(dict.fromkeys(seeds))
    if not isinstance(seeds, int):
        return []
    most = min(MAX_SEED if model.largest_seed is None else model.largest_seed for model in known)
    return secrets.SystemRandom().sample(range(max(most + 1, seeds)), seeds)


async def _cells_faults(
    cells: Sequence[Cell], known: Mapping[str, Model], parameters: Mapping[str, Any], sees_only: UUID | None
) -> list[Fault]:
    """Return the faults of all combinations, each once. With several models, each fault names its model."""
    found: dict[Fault, None] = {}
    for cell in cells:
        await asyncio.sleep(0)  # all cells together take a while: other coroutines run in between
        faults = admission.prompt_faults(cell.prompt) or await input_files.faults(
            known[cell.model], cell.prompt, _arguments(cell, parameters), sees_only
        )
        for fault in faults:
            pointer = "/seeds" if cell.seed is not None and fault.pointer == "/parameters/seed" else fault.pointer
            if pointer == "/model":
                pointer = f"/models/{list(known).index(cell.model)}"
            named = len(known) > 1 and fault.pointer != "/prompt" and cell.model not in fault.message
            found[Fault(pointer, f"{cell.model}: {fault.message}" if named else fault.message)] = None
    return list(found)


def _arguments(cell: Cell, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return parameters if cell.seed is None else {**parameters, "seed": cell.seed}


def _axes_json(axes: Sequence[Axis], seeds: object) -> str:
    shown: list[dict[str, Any]] = [{"name": axis.name, "values": axis.values} for axis in axes]
    for axis in shown:
        if axis["name"] == "seed" and isinstance(seeds, int):
            axis["random"] = True
    return json.dumps(shown, ensure_ascii=False)
