"""The route /compare: shows two to four jobs side by side, with the differences between them."""

import asyncio
from string import ascii_uppercase
from typing import Any
from uuid import UUID

from litestar import Request, Response, route

from tasks.library import cards
from tasks.library.cards import Card
from webapp.gallery.diff import marked, rows
from webapp.http.etag import revalidated
from webapp.http.methods import READ
from webapp.render import templates
from webapp.render.views import CardView

LEAST, MOST = 2, 4


@route("/compare", http_method=READ)
async def compare(request: Request[Any, Any, Any]) -> Response[str]:
    """Return a page that compares the jobs named by `job`, each once, in the order of the query string."""
    named = list(dict.fromkeys(request.query_params.getall("job", [])))
    if not LEAST <= len(named) <= MOST:
        return _sorry(422, "Cannot compare these prints", "Select two to four prints in the gallery, then compare.")
    card_list = await _existing(named)
    if len(card_list) < len(named):
        return _sorry(404, "Print not found", "At least one of these prints does not exist or was deleted.")
    return revalidated(request, templates.page("pages/compare.html", **await _context(card_list)))


async def _existing(named: list[str]) -> list[Card]:
    ids = [job_id for name in named if (job_id := _id(name))]
    found = {card.job.id: card for card in await cards.by_ids(ids) if not card.deleted}
    return [found[job_id] for job_id in ids if job_id in found]


def _id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


async def _context(card_list: list[Card]) -> dict[str, Any]:
    prompts, columns = [card.job.prompt for card in card_list], []
    for at, (letter, card) in enumerate(zip(ascii_uppercase, card_list, strict=False)):
        columns.append((letter, CardView(card), marked(card.job.prompt, prompts[:at] + prompts[at + 1 :])))
        await asyncio.sleep(0)  # long prompts take a while: other tasks run between them
    table = rows(card_list)
    kinds = {card.outputs[0].kind if card.outputs else "" for card in card_list}
    return {
        "columns": columns,
        "same_prompt": len(set(prompts)) == 1,
        "different": [row for row in table if row.differs],
        "same": [row for row in table if not row.differs],
        "pictures": kinds == {"image"},
    }


def _sorry(status: int, title: str, message: str) -> Response[str]:
    return templates.page("pages/error.html", status, status=status, title=title, message=message)
