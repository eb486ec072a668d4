"""Jobs in the shape of Replicate's predictions, for programs that came in by its door: answers, and their webhooks.

Source: Replicate's OpenAPI document.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from tasks.accounts.signed_addresses import Sign, unsigned
from tasks.db.tables import ENDED, Job, Output, Status
from tasks.files import input_files
from tasks.files.storage import Storage
from tasks.library import cards
from tasks.library.cards import Card, Run
from tasks.models import registry
from tasks.models.names import bare

State = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]

ROOT = "/replicate"
"""Where the door is on this site."""
STATES: Mapping[str, State] = {
    Status.QUEUED: "starting",
    Status.RUNNING: "processing",
    Status.COMPLETED: "succeeded",
    Status.FAILED: "failed",
    Status.CANCELED: "canceled",
}
HIDDEN = "hidden"  # the version of official models


class Prediction(Struct, kw_only=True):
    """A job."""

    id: str
    model: str
    version: str
    input: dict[str, Any]
    output: Any
    logs: str = ""
    error: str | None
    status: State
    source: str = "api"
    data_removed: bool = False
    created_at: str
    started_at: str | None
    completed_at: str | None
    deadline: str | UnsetType = UNSET
    metrics: Any | UnsetType = UNSET
    urls: dict[str, str]


async def shaped(found: Sequence[Card], origin: str, storage: Storage, sign: Sign = unsigned) -> list[Prediction]:
    """Return the shapes of jobs. Raises Failure when storage is unavailable.

    origin: of all addresses in them. sign: signs those of outputs.
    """
    runs = await cards.last_runs([card.job.id for card in found])
    return [await _shaped(card, runs.get(card.job.id), origin, storage, sign) for card in found]


def time_text(moment: datetime) -> str:
    """Return a moment as Replicate writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _shaped(card: Card, run: Run | None, origin: str, storage: Storage, sign: Sign) -> Prediction:
    """Return the shape of a job. run: its last one."""
    job, address = card.job, f"{origin}{ROOT}/v1/predictions/{card.job.id}"
    model = await registry.stored(job.model)  # None when it is not known any more
    is_file = model is None or input_files.takes_file(model.output_schema)
    values = [await _value(output, is_file, origin, storage, sign) for output in card.outputs]
    prompt = (model and model.prompt_name) or "prompt"
    inputs = {name: _with_origin(value, origin) for name, value in card.parameters.items()}
    return Prediction(
        id=str(job.id), model=bare(job.model), version=_version(job, model, run),
        input={prompt: job.prompt} | inputs, output=_output(values, model.output_schema if model else {}),
        error=job.error if job.status == Status.FAILED else None, status=_state(job),
        created_at=time_text(job.created_at), started_at=time_text(job.started_at) if job.started_at else None,
        completed_at=time_text(job.finished_at) if job.finished_at else None,
        deadline=time_text(job.deadline_at) if job.deadline_at and job.status not in ENDED else UNSET,
        metrics=json.loads(run.metrics) if run and run.metrics else UNSET,
        urls={"get": address, "cancel": f"{address}/cancel", "web": f"{origin}/jobs/{job.id}"},
    )  # fmt: skip


async def _value(output: Output, is_file: bool, origin: str, storage: Storage, sign: Sign) -> Any:
    """Return an output: its address, or what it says when the model returned words or JSON in place of a file."""
    extension = output.key.rpartition(".")[2]
    if is_file or extension not in ("txt", "json"):
        return f"{origin}/media/{output.key}{sign(output.key)}"
    pieces = [piece async for piece in storage.read(output.stored_key or output.key, 0, output.bytes)]
    content = b"".join(pieces).decode(errors="replace")
    return json.loads(content) if extension == "json" else content


def _with_origin(value: Any, origin: str) -> Any:
    if isinstance(value, list):
        return [_with_origin(item, origin) for item in value]
    return f"{origin}{value}" if input_files.key_of(value) else value


def _version(job: Job, model: registry.Model | None, run: Run | None) -> str:
    """Return the version that the job asks for, that ran, or that will run."""
    if ":" in job.model:
        return job.model.partition(":")[2]
    reference = run.version if run else model.reference if model else ""
    return reference.partition(":")[2] or HIDDEN


def _output(values: Sequence[Any], schema: Mapping[str, Any]) -> Any:
    """Return the outputs in the form of the model's schema: one value, or a list. JSON has its own form."""
    if not values:
        return None
    alone = len(values) == 1 and schema.get("type") != "array"
    return values[0] if alone or not isinstance(values[0], str) else list(values)


def _state(job: Job) -> State:
    """Return a job's state. One that ran out of time was aborted before it began, or else canceled."""
    if job.status == Status.FAILED and job.error_code == "deadline":
        return "canceled" if job.started_at else "aborted"
    return STATES[job.status]
