"""The pieces of HTML that replace others: the same for a form's answer and for a live event."""

from typing import Any

from tasks import library
from tasks.library import Card
from tasks.lineage import lineage
from webapp import pages
from webapp.reuse import uses
from webapp.views import AttemptView, CardView

PAGE = 60  # cards


def card_fragment(card: Card) -> str:
    """A card, to be put in its place in the gallery, or taken away where the job was deleted."""
    target = f"#job-{card.job.id}"
    if card.deleted:
        return _partial(target, "delete")
    return _partial(target, "outerMorph", pages.render("partials/card.html", card=CardView(card)))


async def job_fragment(card: Card) -> str:
    """All that a job's page shows of it, or its disappearance."""
    target = f"#job-page-{card.job.id}"
    if card.deleted:
        return _partial(target, "delete")
    context = await job_context(await library.placed(card))
    return _partial(target, "outerMorph", pages.render("partials/job.html", **context))


def sheet_fragment(cards: list[Card]) -> str:
    """The first page of the gallery, whole."""
    return _partial("#sheet", "innerHTML", pages.render("partials/sheet.html", **sheet_context(cards)))


def halt_fragment() -> str:
    """Why the queue is halted, or that it is not."""
    return _partial("#halt", "outerMorph", pages.render("partials/halt.html"))


def sheet_context(cards: list[Card]) -> dict[str, Any]:
    """What the template of a page of cards needs: the cards, and the address of the next page if there may be one."""
    older = f"/?before={cards[-1].job.id}" if len(cards) == PAGE else None
    return {"cards": [CardView(card) for card in cards], "older": older}


async def job_context(card: Card) -> dict[str, Any]:
    """What the template of a job needs."""
    related = await lineage(card.job)
    return {
        "card": CardView(card),
        "attempts": [AttemptView(row) for row in await library.attempts(card.job.id)],
        "uses": await uses(card),
        "made_from": CardView(related.made_from) if related.made_from else None,
        "led_to": [CardView(child) for child in related.led_to],
        "led_to_more": related.more,
    }


def _partial(target: str, swap: str, html: str = "") -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'
