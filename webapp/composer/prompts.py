"""The last prompts of whoever asks, which the composer lists above its own."""

from litestar import Response, route

from tasks.admission.matrix import quoted
from tasks.library import prompts
from webapp.http.authentication import actor_of
from webapp.http.errors import AnyRequest
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.render import templates
from webapp.render.views import CardView


@route("/composer/prompts", http_method=READ)
async def latest(request: AnyRequest) -> Response[str]:
    """Return the actor's own last prompts, oldest first, each as it is typed and with a thumbnail of a result."""
    cards = [CardView(card) for card in reversed(await prompts.latest(actor_of(request).person))]
    shown = [(card, quoted(card.job.prompt)) for card in cards]
    return templates.page("fragments/prompts.html", prompts=shown, headers=NO_STORE)
