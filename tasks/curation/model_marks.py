"""What the house says about models: which are starred, and so come first, and which are hidden from the menu."""

from collections.abc import Mapping

from tasks.db.model_tables import ModelMark

UNMARKED = ModelMark(name="")


async def all_of_them() -> Mapping[str, ModelMark]:
    """Return the marks of all models that have or had one, by the models' names."""
    return {row.name: row for row in await ModelMark.objects()}


async def of(model: str) -> ModelMark:
    """Return the marks of a model."""
    return await ModelMark.objects().get(ModelMark.name == model) or UNMARKED


async def star(model: str, on: bool) -> None:
    """Star a model, or take its star away."""
    await ModelMark.insert(ModelMark(name=model, starred=on)).on_conflict(
        ModelMark.name, "DO UPDATE", [ModelMark.starred]
    )


async def hide(model: str, on: bool) -> None:
    """Hide a model from the composer's menu, or show it there again."""
    await ModelMark.insert(ModelMark(name=model, hidden=on)).on_conflict(
        ModelMark.name, "DO UPDATE", [ModelMark.hidden]
    )
