"""Models as their pages show them: with an example of one's own, what they take, their time and their price."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tasks.curation import model_marks
from tasks.curation.model_marks import UNMARKED
from tasks.db.model_tables import ModelMark
from tasks.jobs import estimates
from tasks.library import cards, showcase
from tasks.models import price_words, prices, registry
from tasks.models.registry import Model
from tasks.models.tariffs import Price
from webapp.models.inputs import in_short
from webapp.render.templates import short_model
from webapp.render.views import CardView


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as its card shows it.

    example: the job that shows best what it makes. made: how many jobs were completed. seconds: that a run takes.
    """

    model: Model
    mark: ModelMark
    example: CardView | None
    made: int
    seconds: float | None
    price: Price | None

    @property
    def title(self) -> str:
        """Its name without its owner and version."""
        return short_model(self.model.name)

    @property
    def kind(self) -> str:
        """What it makes: as it is known, else what its example is."""
        if self.model.kind == "other" and self.example and self.example.outputs:
            return str(self.example.outputs[0].kind)
        return self.model.kind

    @property
    def takes(self) -> list[str]:
        """What it takes, in a few words."""
        return in_short(self.model)

    @property
    def price_in_short(self) -> str:
        """Its price in a few words; "" when it is not known."""
        return price_words.in_short(self.price) if self.price else ""

    @property
    def href(self) -> str:
        """The address of its page."""
        return f"/models/{self.model.name}"

    @property
    def anchor(self) -> str:
        """The id of its card."""
        return anchor(self.model.name)

    @property
    def prints(self) -> str:
        """The address of its prints in the gallery."""
        return "/?" + urlencode({"q": f'model:"{self.model.name}"'})

    @property
    def composer(self) -> str:
        """The address of the composer with this model."""
        return "/?" + urlencode({"model": self.model.name})


def anchor(name: str) -> str:
    """Return the id of a model's card."""
    return "model-" + name.replace("/", "-").replace(":", "-")


async def shelf() -> list[ModelCard]:
    """Return the cards of all models that are known: the starred ones first, then by use."""
    known, marks = await registry.known(), await model_marks.all_of_them()
    examples, made = await _examples(known), await showcase.made()
    found = await asyncio.gather(*(_card(model, marks.get(model.name, UNMARKED), examples, made) for model in known))
    return sorted(found, key=lambda card: (not card.mark.starred, -card.made))


async def card(model: Model) -> ModelCard:
    """Return the card of one model."""
    examples = await _examples([model]) if model.kind == "other" else {}  # its page shows one only as what it makes
    mark = await model_marks.of(model.name)
    return await _card(model, mark, examples, await showcase.made())


async def _examples(models: list[Model]) -> dict[str, CardView]:
    chosen = await showcase.examples([model.name for model in models])
    views = {card.job.id: CardView(card) for card in await cards.by_ids(list(chosen.values()))}
    return {name: views[job_id] for name, job_id in chosen.items() if job_id in views}


async def _card(model: Model, mark: ModelMark, examples: Mapping[str, CardView], made: Mapping[str, int]) -> ModelCard:
    name = model.name
    seconds, price = await estimates.typical_duration(name), await prices.current(name)
    return ModelCard(model, mark, examples.get(name), made.get(name, 0), seconds, price)
