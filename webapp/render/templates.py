"""Templates: the one environment that renders pages, fragments and live events."""

from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256
from math import ceil
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response
from markupsafe import Markup

from tasks.demo.examples import EXAMPLES
from tasks.models.costs import usd
from tasks.settings import ROOT, settings
from webapp.render import assets, halt_banner, queue_tally
from webapp.render.appearance import appearance
from webapp.render.media_links import preview
from webapp.render.viewer import viewer


def render(template: str, **context: Any) -> str:
    """Render a template to text."""
    return environment.get_template(template).render(context)


def page(template: str, status_code: int = 200, headers: dict[str, str] | None = None, **context: Any) -> Response[str]:
    """Render a template to a response."""
    return Response(render(template, **context), status_code=status_code, media_type=MediaType.HTML, headers=headers)


@cache
def static(path: str) -> str:
    """Return the address of a static file. The address changes when the bytes do."""
    return f"/static/{path}?v={sha256(assets.content(path)).hexdigest()[:12]}"


@cache
def icon(name: str) -> Markup:
    """Return an icon of the vendored set, as decoration: its meaning is in words beside it or in the button's label."""
    use = f'<use href="{static("vendor/icons.svg")}#{name}"></use>'
    return Markup(f'<svg class="icon" viewBox="0 0 256 256" aria-hidden="true" focusable="false">{use}</svg>')  # noqa: S704 (names are ours)


def ago(moment: datetime) -> str:
    """Return how long ago something was: "just now", "5 min ago", "3 h ago", "2 days ago", or its date."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds < 3600 * 0.9:
        return f"{max(1, round(seconds / 60))} min ago"
    if seconds < 86400 * 0.9:
        return f"{max(1, round(seconds / 3600))} h ago"
    days = max(1, round(seconds / 86400))
    return f"{days} day{'s' if days > 1 else ''} ago" if days < 14 else day(moment)


def day(moment: date) -> str:
    """Return a day as every page writes it: "4 Sep 2026". static/js/times.js writes the same."""
    return f"{moment:%d %b %Y}".lstrip("0")


def exactly(moment: datetime) -> str:
    """Return a moment as every page writes it: "4 Sep 2026, 12:04:09 UTC". In a browser it is local, without UTC."""
    return f"{day(moment)}, {moment:%H:%M:%S} UTC"


def until(moment: datetime) -> str:
    """Return how long it is until something happens: "in 5 s", "in 2 min", or "now"."""
    seconds = (moment - datetime.now(UTC)).total_seconds()
    if seconds < 1:
        return "now"
    return f"in {ceil(seconds)} s" if seconds < 60 else f"in {ceil(seconds / 60)} min"


def about(moment: datetime) -> str:
    """Return roughly when something will be: "in about 20 s", "in about 2 min"; "" when it is less than 5 s away."""
    seconds = (moment - datetime.now(UTC)).total_seconds()
    if seconds < 5:
        return ""
    if seconds <= 55:
        return f"in about {ceil(seconds / 5) * 5} s"
    if seconds < 3600 * 0.9:
        return f"in about {max(1, round(seconds / 60))} min"
    return f"in about {max(1, round(seconds / 3600))} h"


def so_far(moment: datetime, least: float = 10) -> str:
    """Return how long something has been going on: "40 s so far", "3 min so far"; "" before `least` seconds."""
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    if seconds < least:
        return ""
    return f"{seconds} s so far" if seconds < 60 else f"{seconds // 60} min so far"


def exact(moment: datetime) -> str:
    """Return a moment in a machine-readable form: ISO 8601, in UTC."""
    return moment.isoformat()


def seconds(value: float) -> str:
    """Return a duration in words: "0.4 s", "12 s", "2 min 5 s", "1 h 3 min"."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(value: float) -> str:
    """Return a duration as media players show it: "0:05", "1:02:03"."""
    hours, rest = divmod(round(value), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def filesize(count: int) -> str:
    """Return a number of bytes in words: "812 B", "45 kB", "1.2 MB". A kB has 1,000 bytes."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}" if count < 10 * size and unit != "kB" else f"{count / size:.0f} {unit}"
    return f"{count} B"


def ordinal(number: int) -> str:
    """Return a place in a queue as an ordinal: "1st", "22nd", "1,013th"."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def short_model(name: str) -> str:
    """Return a model's name without its owner and version."""
    return name.partition(":")[0].rpartition("/")[2]


environment = Environment(
    loader=FileSystemLoader(ROOT / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=settings.log_level == "debug",  # else each card would check on the disk whether its templates changed
    trim_blocks=True,
    lstrip_blocks=True,
)
FILTERS = (ago, day, exactly, until, about, so_far, exact, seconds, clock, filesize, ordinal, usd, short_model, preview)
environment.filters |= {function.__name__: function for function in FILTERS}
environment.globals |= {
    "static": static,
    "icon": icon,
    "standin": settings.standin,
    "examples": EXAMPLES,
    "halted": halt_banner.known,
    "tally": queue_tally.known,
    "viewer": viewer.get,
    "appearance": appearance.get,
    "largest_upload": settings.max_upload_mib * 2**20,
    "trash_days": settings.trash_days,
}
