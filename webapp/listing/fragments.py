"""HTML fragments that replace parts of a page: the same for the response to a form and for a live event."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tasks.accounts.actors import Actor
from tasks.errors import Fault, Rejected
from tasks.jobs import ledger, tally
from tasks.library import cards, months
from tasks.library.cards import Card
from tasks.library.lineage import lineage
from tasks.outbox import outbox
from tasks.webhooks import history
from webapp.composer.reuse import uses
from webapp.listing.headings import Heading, headings
from webapp.listing.query import PAGE, Page, Sheet, read_page
from webapp.listing.search_bar import search_bar
from webapp.listing.timeline import timeline
from webapp.render import queue_tally, templates
from webapp.render.numbers import figures
from webapp.render.times import spans
from webapp.render.views import AdjustmentView, AttemptView, CardView


def card_face(card: Card) -> str:
    """Return the HTML of a card as the gallery shows it."""
    return templates.render("fragments/card.html", card=CardView(card))


def card_fragment(card: Card, face: str = "", found: bool = True, trash: bool = False) -> str:
    """Return the fragment that puts a card in its place on a sheet, or removes it when the sheet must not show it.

    face: the result of `card_face`, if it is already rendered. found: whether the sheet's search finds the card; a card
    that it does not find stays if it is already on the page, but is not inserted (js/live.js). trash: whether the sheet
    shows the trash.
    """
    target = f"#job-{card.job.id}"
    if card.deleted or (card.job.trashed_at is not None) != trash:
        return _partial(target, "delete")
    return _partial(target, "outerMorph" if found else "outerMorph placed:false", face or card_face(card))


async def job_fragment(card: Card) -> str:
    """Return the fragment with all that a job's page shows of it, or the one that removes a deleted job."""
    target = f"#job-page-{card.job.id}"
    if card.deleted:
        return _partial(target, "delete")
    [placed] = await cards.placed([card])
    context = await job_context(placed)
    return _partial(target, "outerMorph", templates.render("fragments/job.html", **context))


async def panel_fragment(card: Card, sheet: Sheet) -> str:
    """Return the fragment that replaces what the lightbox shows about a job."""
    html = templates.render("fragments/panel.html", **await panel_context(card, sheet))
    return _partial(f"#panel-{card.job.id}", "outerMorph", html)


async def sheet_fragment(sheet: Sheet) -> str:
    """Return the fragment that replaces all cards of a sheet."""
    return _partial("#sheet", "innerHTML", templates.render("fragments/sheet.html", **await sheet_context(sheet)))


async def found_fragment(query: Mapping[str, Any], actor: Actor, zone: ZoneInfo) -> str:
    """Return another sheet with all that belongs to it; for an unclear search, only the bar and its faults."""
    context = await prints_context(query, actor, zone)
    asked = _partial("#search-bar", "outerMorph", templates.render("fragments/search_bar.html", **context))
    if context["unclear"]:
        return asked
    live = _partial("#live", "outerHTML", templates.render("fragments/live.html", **context))
    beside = _partial("#timeline", "outerMorph", templates.render("fragments/timeline.html", **context))
    prints = _partial("#prints", "outerMorph", templates.render("fragments/prints.html", **context))
    return asked + live + beside + prints


async def search_bar_fragment(query: Mapping[str, Any], actor: Actor, zone: ZoneInfo) -> str:
    """Return the search bar alone."""
    sheet, faults = _sheet(query, actor, zone)
    asked = await search_bar(query, sheet, await cards.count(sheet.search) if sheet else 0, faults)
    return _partial("#search-bar", "outerMorph", templates.render("fragments/search_bar.html", search_bar=asked))


def halt_fragment() -> str:
    """Return the fragment that says why the queue is halted, or that it is not."""
    return _partial("#halt", "outerMorph", templates.render("fragments/halt.html"))


def tally_fragment() -> str:
    """Return the fragment that says how much runs and waits, in the top bar and on a sheet that folds it."""
    folded = queue_tally.folded()
    chip = _partial("#queue-chip", "outerMorph", templates.render("fragments/queue_chip.html"))
    return chip + _partial("#queue-fold", "outerMorph", templates.render("fragments/queue_fold.html", folded=folded))


async def prints_context(query: Mapping[str, Any], actor: Actor, zone: ZoneInfo) -> dict[str, Any]:
    """Return what the templates of the search bar, the timeline, the sheet and its stream need for a query string."""
    sheet, faults = _sheet(query, actor, zone)
    live = (sheet or Sheet()).stream()  # before the cards are read: what changes meanwhile arrives as an event
    if sheet is None:
        asked, nothing = await search_bar(query, None, 0, faults), _context_of(Sheet(), Page([]), {})
        return {"search_bar": asked, "unclear": True, "live": live, "years": {}, **nothing}
    # Concurrently: counting the results takes as long as finding the first of them.
    found, shown = await asyncio.gather(months.found(sheet.search, zone), sheet_context(sheet))
    asked = await search_bar(query, sheet, found.total)
    return {"search_bar": asked, "unclear": False, "live": live, "years": timeline(sheet, found.months), **shown}


async def sheet_context(sheet: Sheet, count: int = PAGE, appended: bool = False) -> dict[str, Any]:
    """Return what the template of a sheet needs: its cards with their headings, and the addresses of more cards.

    And how many jobs wait, if they are folded into one card. appended: whether the cards are added to those of a page.
    """
    await queue_tally.look()
    folded = queue_tally.folded() if sheet.folds else None
    shown = replace(sheet, search=sheet.search.but_waiting()) if folded else sheet
    page = await shown.page(count, whole_days=appended)
    context = _context_of(sheet, page, await headings(shown, page.cards, appended))
    return {**context, "folded": folded, "appended": appended}


def _sheet(query: Mapping[str, Any], actor: Actor, zone: ZoneInfo) -> tuple[Sheet | None, list[Fault]]:
    """Return the sheet that a query string requests, or what is wrong with the query string."""
    try:
        return read_page(query, actor, zone), []
    except Rejected as rejected:
        return None, rejected.faults


def _context_of(sheet: Sheet, page: Page, heads: Mapping[UUID, Heading]) -> dict[str, Any]:
    return {
        "sheet": sheet,
        "cards": [CardView(card) for card in page.cards],
        "headings": heads,
        "newer": sheet.address(until=page.newer) if page.newer else None,
        "older": sheet.address(page.older) if page.older else None,
        "folded": None,
        "appended": False,
    }


async def job_context(card: Card) -> dict[str, Any]:
    """Return what the template of a job needs."""
    related = await lineage(card.job)
    return {
        **await _facts_context(card),
        "output_uses": {row.position: await uses(card, row) for row in card.outputs if len(card.outputs) > 1},
        "made_from": CardView(related.made_from) if related.made_from else None,
        "used_in": [CardView(child) for child in related.used_in],
        "used_in_more": related.more,
    }


async def _facts_context(card: Card) -> dict[str, Any]:
    """Return what both a job's page and the lightbox show of the job alone."""
    attempts, entries = await cards.attempts(card.job.id), await ledger.entries(card.job.id)
    costs = {entry.attempt: entry for entry in entries}
    return {
        "card": CardView(card),
        "attempts": [AttemptView(row, costs.get(row.id)) for row in attempts],
        "adjustments": [AdjustmentView(entry) for entry in entries if entry.kind == "adjust"],
        "uses": await uses(card),
        "spans": spans(card.job, attempts),
        "deliveries": await history.of_job(card.job.id) if card.job.webhook or await outbox.has_endpoints() else [],
    }


async def queue_context() -> dict[str, Any]:
    """Return what the template of the queue needs: how much runs and waits, and the first of those jobs."""
    await queue_tally.look()
    running, waiting = await listed_cards()
    return {"running": [CardView(card) for card in running], "waiting": [CardView(card) for card in waiting]}


async def listed_cards() -> tuple[list[Card], list[Card]]:
    """Return the first of the jobs that run, and of those that wait: see tally.listed()."""
    running, waiting = await tally.listed()
    known = {card.job.id: card for card in await cards.by_ids([*running, *waiting])}
    return [known[each] for each in running if each in known], [known[each] for each in waiting if each in known]


async def panel_context(card: Card, sheet: Sheet) -> dict[str, Any]:
    """Return what the template of the lightbox's panel needs: of the job, and its place on a sheet, if it has one."""
    context, position, found = await asyncio.gather(
        _facts_context(card), cards.position(card.job, sheet.search, sheet.sort), cards.count(sheet.search)
    )
    return {**context, "position": position, "found": figures(found)}


def notice_fragment(html: str) -> str:
    """Return the fragment that shows a notice, or a question in its place."""
    return _partial("#done", "innerHTML", html)


def _partial(target: str, swap: str, html: str = "") -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'
