"""A job as templates see it."""

import json
import math
from dataclasses import dataclass
from datetime import date
from typing import Any

from tasks.db.money_tables import Ledger
from tasks.db.tables import Attempt, Job, Output, Priority, Status
from tasks.files.decoder_pool import PREVIEW, THUMBNAIL
from tasks.files.media_types import PREVIEW_SUFFIX, THUMBNAIL_SUFFIX
from tasks.library.cards import Card
from tasks.models.costs import Basis
from webapp.render import waveform

RATIO_STEP = 1.02  # factor from one class of static/css/ratios.css to the next
RATIO_LEAST = 0.25
RATIO_CLASSES = 141
MAX_CELLS = 4  # outputs that a card shows
SLIDE_BARS = 100  # of a waveform in the lightbox: as on its card, so that compression finds the same text twice
BASES = {
    Basis.METRICS: "what Replicate measured",
    Basis.TIME: "its time of compute",
    Basis.INPUT: "what was requested",
    Basis.MEDIAN: "what such runs have cost",
    Basis.CEILING: "the ceiling for a job, because its price is not known",
    Basis.ADJUSTED: "what an admin has put right",
}
DOORS = {"replicate": "Replicate's API", "openai": "OpenAI's API", "mcp": "MCP"}
"""The doors that jobs come in by besides our own API and pages, as people know them, by their origin."""


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
    def seen(self) -> bool:
        """Whether there is a picture of it."""
        return self.row.kind == "image" or self.row.preview_key is not None

    @property
    def moves(self) -> bool:
        """Whether it is a video or an animation. Of an older GIF, only the type is known."""
        animated = self.row.kind == "image" and (self.row.duration or self.row.media_type == "image/gif")
        return self.row.kind == "video" or bool(animated)

    def wave(self, bars: int) -> str:
        """Return the path of its waveform, see waveform.py."""
        return waveform.path(self.row.peaks, bars)

    @property
    def text(self) -> str | None:
        """The beginning of a text output; None for other kinds."""
        return self.row.placeholder if self.row.kind == "text" else None


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt with its input parsed, and with what it cost, if that is known."""

    row: Attempt
    entry: Ledger | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def input(self) -> dict[str, Any]:
        """What was sent to Replicate, by name."""
        return dict(json.loads(self.row.input))

    @property
    def measured(self) -> dict[str, Any]:
        """What Replicate measured, by its names."""
        return dict(json.loads(self.row.metrics or "{}"))

    @property
    def trace_id(self) -> str | None:
        """The trace that it was recorded in, if it was (W3C Trace Context, section 3.2)."""
        _, trace_id, _, flags = (self.row.traceparent or "---0").split("-")
        return trace_id if int(flags, 16) & 1 else None

    @property
    def basis(self) -> str:
        """What its cost rests on, in words."""
        return BASES[Basis(self.entry.basis)] if self.entry else ""

    @property
    def price(self) -> dict[str, str]:
        """The price of its entry in the ledger: its text, its source, and when it was checked there."""
        return dict(json.loads(self.entry.price)) if self.entry else {}

    @property
    def checked(self) -> date:
        """The day on which that price was checked."""
        return date.fromisoformat(self.price["checked"])


@dataclass(frozen=True, slots=True)
class AdjustmentView:
    """An entry of the ledger with which somebody has put a cost right."""

    entry: Ledger

    @property
    def note(self) -> str:
        """Why, in the words of who has done it."""
        return str(json.loads(self.entry.price)["note"])


class CardView:
    """A job as templates see it."""

    def __init__(self, card: Card) -> None:
        self.job: Job = card.job
        self.parameters = card.parameters
        self.outputs = [OutputView(row) for row in card.outputs]
        self.discarded = [OutputView(row) for row in card.discarded]
        self.place = card.place
        self.starts_at = card.starts_at
        self.starting_since = card.starting_since
        self.retrying = card.retrying
        self.priority = priority_name(card.job)
        self.owner, self.key = card.maker.owner, card.maker.key
        self.door = DOORS.get(card.job.origin, "")
        self.metadata: dict[str, str] = json.loads(card.job.metadata) if card.job.metadata else {}
        self.tags, self.collections = card.marks.tags, card.marks.collections
        self.width, self.height = card.size

    @property
    def cells(self) -> list[OutputView]:
        """Its first finished outputs, MAX_CELLS at most, if it has several and all can be seen: its card shows them."""
        several = self.job.status == Status.COMPLETED and len(self.outputs) > 1
        return self.outputs[:MAX_CELLS] if several and all(output.seen for output in self.outputs) else []

    @property
    def favorites(self) -> int:
        """How many of its outputs are favorites."""
        return sum(output.favorite for output in self.outputs)

    @property
    def slides(self) -> str:
        """Its finished outputs for the lightbox, as JSON; "" while there are none."""
        finished = self.outputs if self.job.status == Status.COMPLETED else []
        alone = len(finished) == 1
        return json.dumps([_slide(output, alone) for output in finished], separators=(",", ":")) if finished else ""

    @property
    def ratio_class(self) -> str:
        """The class of static/css/ratios.css with its proportions, to 1 %: the CSP forbids style attributes."""
        step = round(math.log(self.width / self.height / RATIO_LEAST, RATIO_STEP))
        return f"ratio-{min(max(step, 0), RATIO_CLASSES - 1)}"


def priority_name(job: Job) -> str:
    """Return the name of a job's priority: low, normal or high."""
    return Priority(job.priority).name.lower()


def _slide(output: OutputView, alone: bool) -> dict[str, Any]:
    """Return an output as js/lightbox/slides.js takes it. The marks of one that is alone are those of its job."""
    marks = {"favorite": output.favorite or None, "rating": output.rating or None}
    slide = ({} if alone else marks) | {
        "position": output.position,
        "kind": output.kind,
        "src": output.url,
        "width": output.width,
        "height": output.height,
        "msrc": output.preview_url,
        "text": output.text,
        "duration": output.duration if output.kind == "audio" else None,
        "wave": output.wave(SLIDE_BARS) if output.kind == "audio" else None,
    }
    return {name: value for name, value in slide.items() if value is not None}
