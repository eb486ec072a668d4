"""How pages learn what tidying did: the changed cards, and a notice with an undo button."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from litestar import Request

from tasks.curation import collections
from tasks.curation.edits import MAX_TAGS, Outcome
from tasks.curation.output_edits import OTHERS
from tasks.library import cards
from webapp.http.authentication import actor_of
from webapp.http.clients import page_of
from webapp.listing.fragments import card_fragment, job_fragment, panel_fragment
from webapp.listing.query import read_or_whole
from webapp.render import templates

AnyRequest = Request[Any, Any, Any]

PANEL = "aside#lightbox-panel"  # the target of what is sent from the lightbox, as htmx names it
MAX_CARDS = 60  # cards that one response replaces; after more changes the page reloads its sheet


async def as_shown(request: AnyRequest, job_ids: Sequence[UUID]) -> str:
    """Return the jobs as the requesting page shows them now, in the same form as a live event."""
    address = page_of(request)
    query = parse_qs(address.query)
    sheet = read_or_whole({name: query.get(name, [""])[0] for name in ("q", "sort")}, actor_of(request))
    card_list = await cards.by_ids(job_ids[:MAX_CARDS])
    of_page = [card for card in card_list if address.path == f"/jobs/{card.job.id}"]
    panels = ""
    if request.headers.get("HX-Target") == PANEL:
        panels = "".join([await panel_fragment(card, sheet) for card in of_page if not card.deleted])
    elif address.path.startswith("/jobs/"):
        return "".join([await job_fragment(card) for card in of_page])
    found = await cards.found_among([card.job.id for card in card_list], sheet.search)
    shown = [card_fragment(card, found=card.job.id in found, trash=sheet.search.trash) for card in card_list]
    return "".join(shown) + panels


async def notice(action: str, argument: str, outcome: Outcome) -> str:
    """Return what was done, in words, with an undo button."""
    context = {"words": await words(action, argument, outcome), "undo": outcome.undo, "back": None}
    html = templates.render("components/notice.html", **context)
    return f'<hx-partial hx-target="#done" hx-swap="innerHTML">{html}</hx-partial>'


async def words(action: str, argument: str, outcome: Outcome) -> str:
    """Return what was done, in a sentence."""
    why = f"they have {MAX_TAGS} tags" if action == "tag" else "they still wait or run"
    are = "is" if outcome.left_out == 1 else "are"
    left_out = f" {_prints(outcome.left_out)} {are} left out: {why}." if outcome.left_out else ""
    if not outcome.jobs:
        return left_out.strip() or "There was nothing to change."
    prints, quoted = _prints(outcome.jobs), f"“{argument}”"
    stars = f"{argument} {'star' if argument == '1' else 'stars'}"
    if action in ("collect", "take out"):
        name = await collections.name_of(UUID(argument))
        quoted = f"“{name}”" if name else "a deleted collection"
    said = {
        "favorite": f"Added {prints} to favorites" if argument == "yes" else f"Removed {prints} from favorites",
        "rate": f"Rated {prints} {stars}" if argument != "0" else f"Removed the rating from {prints}",
        "favorite output": f"{'Added the result to' if argument == 'yes' else 'Removed the result from'} favorites",
        "rate output": f"Rated the result {stars}" if argument != "0" else "Removed the rating from the result",
        "trash outputs": f"Moved the {'other results' if argument == OTHERS else 'result'} to the trash",
        "restore outputs": "Restored the result",
        "tag": f"Tagged {prints} {quoted}",
        "untag": f"Removed the tag {quoted} from {prints}",
        "collect": f"Added {prints} to {quoted}",
        "take out": f"Removed {prints} from {quoted}",
        "trash": f"Moved {prints} to the trash",
        "restore": f"Restored {prints}",
        "retry": f"Queued {prints} again",
        "cancel": f"Canceled {prints}",
        "delete": f"Deleted {prints} permanently",
        "undo": f"Undid it for {prints}",
    }[action]
    return f"{said}.{left_out}"


def _prints(count: int) -> str:
    return f"{count:,} {'print' if count == 1 else 'prints'}"
