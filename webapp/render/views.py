"""A job as pages and programs see it: the views for templates, and the one JSON shape."""

import json
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tasks.db.tables import Attempt, Job, Output, Priority, Status
from tasks.files.decoder_pool import PREVIEW, THUMBNAIL
from tasks.files.media_types import PREVIEW_SUFFIX, THUMBNAIL_SUFFIX
from tasks.library.cards import Card

RATIO_STEP = 1.02  # factor from one class of static/css/ratios.css to the next
RATIO_LEAST = 0.25
RATIO_CLASSES = 141


@dataclass(frozen=True, slots=True)
class OutputView:
    """An output with the addresses of its files."""

    row: Output

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def url(self) -> str:
        """The address of the file, from the root of the site."""
        return f"/media/{self.row.key}"

    @property
    def preview_url(self) -> str | None:
        """The address of its preview, a WebP of 512 px at most, if it has one."""
        return f"/media/{self.row.preview_key}" if self.row.preview_key else None

    @property
    def thumbnail_url(self) -> str | None:
        """The address of its smallest preview, if it has one: of 256 px at most, unless an earlier version made it."""
        preview = self.preview_url
        if self.row.stored_thumbnail_key is None or preview is None:
            return preview
        return preview.replace(PREVIEW_SUFFIX, THUMBNAIL_SUFFIX)

    @property
    def srcset(self) -> str | None:
        """Its previews with their widths, for the srcset of an <img>; None when there is only one size."""
        small, large, width, height = self.thumbnail_url, self.preview_url, self.row.width, self.row.height
        if small == large or not width or not height:
            return None
        shrunk = width / max(width, height)
        small_width, large_width = round(THUMBNAIL * shrunk), min(round(PREVIEW * shrunk), width)
        return f"{small} {max(1, small_width)}w, {large} {max(1, large_width)}w"

    @property
    def text(self) -> str | None:
        """The beginning of a text output; None for other kinds."""
        return self.row.placeholder if self.row.kind == "text" else None


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt with its input parsed."""

    row: Attempt

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def input(self) -> dict[str, Any]:
        """What was sent to Replicate, by name."""
        return dict(json.loads(self.row.input))


class CardView:
    """A job as templates see it."""

    def __init__(self, card: Card) -> None:
        self.job: Job = card.job
        self.parameters = card.parameters
        self.outputs = [OutputView(row) for row in card.outputs]
        self.place = card.place
        self.starts_at = card.starts_at
        self.starting_since = card.starting_since
        self.retrying = card.retrying
        self.priority = _priority(card.job)
        self.tags, self.collections = card.marks.tags, card.marks.collections
        self.width, self.height = card.size

    @property
    def slides(self) -> str:
        """Its finished outputs for the lightbox, as JSON; "" while there are none."""
        finished = self.outputs if self.job.status == Status.COMPLETED else []
        return json.dumps([_slide(output) for output in finished], separators=(",", ":")) if finished else ""

    @property
    def ratio_class(self) -> str:
        """The class of static/css/ratios.css with its proportions, to 1 %: the CSP forbids style attributes."""
        step = round(math.log(self.width / self.height / RATIO_LEAST, RATIO_STEP))
        return f"ratio-{min(max(step, 0), RATIO_CLASSES - 1)}"


def job_json(card: Card) -> dict[str, Any]:
    """Return the one JSON shape of a job. Members that do not apply are absent."""
    job = card.job
    shape: dict[str, Any] = {"job_id": str(job.id), "status": job.status}
    if job.status == Status.COMPLETED and card.outputs:
        outputs = [OutputView(row) for row in card.outputs]
        shape["result_url"] = outputs[0].url
        shape["outputs"] = [_output_json(output) for output in outputs]
    elif job.status == Status.FAILED:
        shape |= {"error": job.error, "error_code": job.error_code}
    elif job.status in (Status.QUEUED, Status.RUNNING):
        shape |= {
            "stage": job.stage,
            "progress": job.progress,
            "place": card.place,
            "estimated_start": _time(card.starts_at and card.starts_at.replace(microsecond=0)),
            "retry_at": _time(job.due_at) if card.retrying else None,
            "last_error": job.error,
            "last_error_code": job.error_code,
            "deadline_at": _time(job.deadline_at),
        }
    shape |= {
        "prompt": job.prompt,
        "model": job.model,
        "parameters": card.parameters,
        "priority": _priority(job),
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "retry_count": job.retry_count,
        "seed": job.seed,
        "made_from": _id(job.made_from),
        "batch": _id(job.batch),
        "favorite": job.favorite or None,
        "rating": job.rating or None,
        "tags": list(card.marks.tags) or None,
        "collections": list(card.marks.collections) or None,
        "notes": job.notes or None,
        "trashed_at": _time(job.trashed_at),
    }
    return _present(shape)


def _slide(output: OutputView) -> dict[str, Any]:
    return _present(
        {
            "kind": output.kind,
            "src": output.url,
            "width": output.width,
            "height": output.height,
            "msrc": output.preview_url,
            "text": output.text,
        }
    )


def _priority(job: Job) -> str:
    return Priority(job.priority).name.lower()


def _output_json(output: OutputView) -> dict[str, Any]:
    return _present(
        {
            "url": output.url,
            "kind": output.kind,
            "media_type": output.media_type,
            "bytes": output.bytes,
            "width": output.width,
            "height": output.height,
            "duration": output.duration,
            "sha256": output.sha256,
            "preview_url": output.preview_url,
        }
    )


def _present(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shape.items() if value is not None}


def _id(value: UUID | None) -> str | None:
    return str(value) if value else None


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
