"""How pages learn what tidying did: the cards anew, and a notice with its undo."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from litestar import Request

from tasks import collections, library
from tasks.search import Search, Unclear, parse
from tasks.tidying import MAX_TAGS, Outcome
from webapp import pages
from webapp.fragments import card_fragment, job_fragment
from webapp.visitors import page_of

AnyRequest = Request[Any, Any, Any]

SHOWN = 60  # cards that one answer replaces; after more changes the page asks for its sheet anew


async def anew(request: AnyRequest, job_ids: Sequence[UUID]) -> str:
    """These jobs as the page that asks shows them now, as a live event would do it."""
    address = page_of(request)
    cards = await library.cards(job_ids[:SHOWN])
    if address.path.startswith("/jobs/"):
        own = address.path.removeprefix("/jobs/")
        return "".join([await job_fragment(card) for card in cards if str(card.job.id) == own])
    search = _search(address.query)
    found = await library.found_among([card.job.id for card in cards], search)
    return "".join(card_fragment(card, found=card.job.id in found, trash=search.trash) for card in cards)


async def notice(action: str, argument: str, outcome: Outcome) -> str:
    """What was done, in words, with a button that takes it back."""
    context = {"words": await words(action, argument, outcome), "undo": outcome.undo, "back": None}
    return (
        f'<hx-partial hx-target="#done" hx-swap="innerHTML">{pages.render("parts/done.html", **context)}</hx-partial>'
    )


async def words(action: str, argument: str, outcome: Outcome) -> str:
    """What was done, in a sentence."""
    why = f"they have {MAX_TAGS} tags" if action == "tag" else "they still wait or run"
    left_out = f" {_prints(outcome.left_out)} left out: {why}." if outcome.left_out else ""
    if not outcome.jobs:
        return left_out.strip() or "There was nothing to change."
    if action in ("collect", "take out"):
        argument = await collections.name_of(UUID(argument)) or "a collection that is gone"
    one = outcome.jobs == 1
    said = {
        "favourite": f"{'a favourite' if one else 'favourites'}{'' if argument == 'yes' else ' no more'}",
        "rate": f"rated with {argument} {'star' if argument == '1' else 'stars'}"
        if argument != "0"
        else "rated no more",
        "tag": f"tagged “{argument}”",
        "untag": f"tagged “{argument}” no more",
        "collect": f"in “{argument}”",
        "take out": f"in “{argument}” no more",
        "trash": "in the trash",
        "restore": "out of the trash",
        "retry": "tried again",
        "delete": "deleted for good",
        "undo": "as before",
    }[action]
    return f"{_prints(outcome.jobs)} {said}.{left_out}"


def _prints(count: int) -> str:
    return f"{count:,} {'print is' if count == 1 else 'prints are'}"


def _search(query: str) -> Search:
    try:
        return parse(parse_qs(query).get("q", [""])[0])
    except Unclear:
        return Search()
