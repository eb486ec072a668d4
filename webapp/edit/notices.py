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
from webapp.listing.fragments import card_fragment, job_fragment, notice_fragment, panel_fragment
from webapp.listing.query import read_or_whole
from webapp.render import templates
from webapp.render.numbers import prints

AnyRequest = Request[Any, Any, Any]

PANEL = "aside#lightbox-panel"  # the target of what is sent from the lightbox, as htmx names it
MAX_CARDS = 60  # cards that one response replaces; after more changes the page reloads its sheet


async def as_shown(request: AnyRequest, job_ids: Sequence[UUID]) -> str:
    """Return the jobs as the requesting page shows them now, in the same form as a live event."""
    address, in_panel = page_of(request), request.headers.get("HX-Target") == PANEL
    card_list = await cards.by_ids(job_ids[:MAX_CARDS])
    of_page = [card for card in card_list if address.path == f"/jobs/{card.job.id}"]
    if address.path.startswith("/jobs/") and not in_panel:
        return "".join([await job_fragment(card) for card in of_page])
    query = parse_qs(address.query)
    sheet = read_or_whole({name: query.get(name, [""])[0] for name in ("q", "sort")}, actor_of(request))
    panels = [await panel_fragment(card, sheet) for card in of_page if in_panel and not card.deleted]
    found = await cards.found_among([card.job.id for card in card_list], sheet.search)
    shown = [card_fragment(card, found=card.job.id in found, trash=sheet.search.trash) for card in card_list]
    return "".join(shown + panels)


async def notice(action: str, argument: str, outcome: Outcome) -> str:
    """Return what was done, in words, with an undo button."""
    context = {"words": await words(action, argument, outcome), "undo": outcome.undo, "back": None}
    html = templates.render("components/notice.html", **context)
    return notice_fragment(html)


async def words(action: str, argument: str, outcome: Outcome) -> str:
    """Return what was done, in a sentence."""
    why = f"they have {MAX_TAGS} tags" if action == "tag" else "they still wait or run"
    are = "is" if outcome.left_out == 1 else "are"
    left_out = f" {prints(outcome.left_out)} {are} left out: {why}." if outcome.left_out else ""
    if not outcome.jobs:
        return left_out.strip() or "There was nothing to change."
    those, quoted = prints(outcome.jobs), f"“{argument}”"
    stars = f"{argument} {'star' if argument == '1' else 'stars'}"
    if action in ("collect", "take out"):
        name = await collections.name_of(UUID(argument))
        quoted = f"“{name}”" if name else "a deleted collection"
    said = {
        "favorite": f"Added {those} to favorites" if argument == "yes" else f"Removed {those} from favorites",
        "rate": f"Rated {those} {stars}" if argument != "0" else f"Removed the rating from {those}",
        "favorite output": f"{'Added the result to' if argument == 'yes' else 'Removed the result from'} favorites",
        "rate output": f"Rated the result {stars}" if argument != "0" else "Removed the rating from the result",
        "trash outputs": f"Moved the {'other results' if argument == OTHERS else 'result'} to the trash",
        "restore outputs": "Restored the result",
        "tag": f"Tagged {those} {quoted}",
        "untag": f"Removed the tag {quoted} from {those}",
        "collect": f"Added {those} to {quoted}",
        "take out": f"Removed {those} from {quoted}",
        "trash": f"Moved {those} to the trash",
        "restore": f"Restored {those}",
        "retry": f"Queued {those} again",
        "cancel": f"Canceled {those}",
        "delete": f"Deleted {those} permanently",
        "undo": f"Undid it for {those}",
    }[action]
    return f"{said}.{left_out}"
