"""Finds a model by its bare name: flux-schnell is black-forest-labs/flux-schnell, if no other model has the name."""

from collections.abc import Iterable

from webapp.client.exceptions import UnknownModel


def resolved(name: str, known: Iterable[str]) -> str:
    """Return the known owner/name of a model, with the version that its bare name has, if any.

    The end of a name suffices (`schnell`) where it is that of one model only. Raises UnknownModel.
    """
    bare, colon, version = name.partition(":")
    models = sorted({model.partition(":")[0] for model in known})
    found = [model for model in models if model.partition("/")[2] == bare] or [
        model for model in models if bare and model.endswith(bare)
    ]
    if not found:
        raise UnknownModel(f"No known model is named {bare}. Known are: {', '.join(models)}. Others need owner/name.")
    if len(found) > 1:
        raise UnknownModel(f"{bare} is the name of several models: {', '.join(found)}.")
    return found[0] + colon + version
