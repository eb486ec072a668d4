"""The question that people are asked before many jobs go to the trash at once."""

from typing import Any

from litestar import MediaType, Request, Response
from litestar.datastructures import FormMultiDict

from tasks.db.tables import Condition, Job
from webapp.edit.jobs import for_people
from webapp.http.clients import by_htmx, came_from
from webapp.listing.fragments import notice_fragment
from webapp.render import templates

MAX_UNASKED = 100  # jobs that go to the trash without a question
FIELDS = ("q", "all", "job")
"""The fields of the form that say which jobs are meant."""


async def question(request: Request[Any, Any, Any], form: FormMultiDict, where: Condition) -> Response[str] | None:
    """Return the question whether these jobs are to go to the trash: in the place of the notice, or as a page.

    Returns None when they are few, when a program asks, or when the form has the answer, `sure`.
    """
    if "sure" in form or not for_people(request):
        return None
    number = await Job.count().where(where & Job.trashed_at.is_null())
    if number <= MAX_UNASKED:
        return None
    said = f"Move {number:,} prints to the trash?"
    if by_htmx(request):
        html = templates.render("components/question.html", words=said, back=None)
        return Response(notice_fragment(html), media_type=MediaType.HTML)
    fields = [(name, value) for name, value in form.multi_items() if name in FIELDS]
    return templates.page("pages/question.html", words=said, fields=fields, back=came_from(request))
