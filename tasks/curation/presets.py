"""Presets: settings of a model that are kept under a name, such as "Portrait 4:5, 30 steps"."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tasks.db import ids
from tasks.db.database import UNIQUE_VIOLATIONS, now
from tasks.db.model_tables import Preset
from tasks.errors import Fault, Rejected, pointer, reject
from tasks.files import input_files
from tasks.models.registry import Model
from tasks.models.strict_json import is_text

MAX_NAME_LENGTH = 60  # characters: it is shown on a chip
MAX_PRESETS = 50  # of one model


async def all_of_them() -> Sequence[Preset]:
    """Return the presets of all models, by model and name."""
    return await Preset.objects().order_by(Preset.model, Preset.name)


async def of_model(model: str) -> Sequence[Preset]:
    """Return the presets of a model, oldest first."""
    return await Preset.objects().where(Preset.model == model).order_by(Preset.id)


async def find(preset_id: str) -> Preset | None:
    """Return the preset with this id, or None when it is gone, or this is no id."""
    try:
        return await Preset.objects().get(Preset.id == UUID(preset_id))
    except ValueError:
        return None


def settings_of(preset: Preset) -> dict[str, Any]:
    """Return the settings of a preset: the model's parameters by their names."""
    return dict(json.loads(preset.parameters))


async def save(model: Model, name: str, parameters: Mapping[str, Any]) -> Preset:
    """Keep settings of a model under a name. What a model requires may be missing from them.

    Raises Rejected: invalid_name, invalid_parameters, or invalid_request when the model has too many presets.
    """
    name = _as_stored(name)
    faults = model.faults("any", input_files.checkable(model, parameters))
    reject([fault for fault in faults if any(_is_of(fault, given) for given in parameters)])
    if await Preset.count().where(Preset.model == model.name) >= MAX_PRESETS:
        raise Rejected("invalid_request", [Fault("", f"A model can have up to {MAX_PRESETS} presets.")])
    row = Preset(id=ids.new(), model=model.name, name=name, parameters=json.dumps(parameters), created_at=now())
    try:
        await Preset.insert(row)
    except UNIQUE_VIOLATIONS:
        raise _taken(name) from None
    return row


async def rename(preset_id: UUID, name: str) -> bool:
    """Rename a preset. Returns False when it is gone. Raises Rejected("invalid_name")."""
    name = _as_stored(name)
    try:
        return bool(await Preset.update({Preset.name: name}).where(Preset.id == preset_id).returning(Preset.id))
    except UNIQUE_VIOLATIONS:
        raise _taken(name) from None


async def delete(preset_id: UUID) -> bool:
    """Delete a preset. Returns False when it is already gone."""
    return bool(await Preset.delete().where(Preset.id == preset_id).returning(Preset.id))


def name_faults(name: object) -> list[Fault]:
    """Return what is wrong with the name of a preset, whatever others the model has."""
    if not isinstance(name, str) or not name.strip():
        return [Fault("/name", "The preset needs a name.")]
    if len(" ".join(name.split())) > MAX_NAME_LENGTH or not is_text(name):
        return [Fault("/name", f"The name can have up to {MAX_NAME_LENGTH} characters.")]
    return []


def _is_of(fault: Fault, parameter: str) -> bool:
    return f"{fault.pointer}/".startswith(f"{pointer('parameters', parameter)}/")


def _as_stored(name: str) -> str:
    """Return a name with single spaces. Raises Rejected."""
    reject(name_faults(name))
    return " ".join(name.split())


def _taken(name: str) -> Rejected:
    return Rejected("invalid_name", [Fault("/name", f'The model already has a preset named "{name}".')])
