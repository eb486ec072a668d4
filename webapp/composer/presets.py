"""Presets and the composer's form: the settings in the form that a preset keeps, and the form with those of one."""

from typing import Any

from tasks.curation import presets
from tasks.files import input_files
from tasks.models import registry
from tasks.models.registry import Model
from webapp.composer.controls import PREFIX
from webapp.composer.form import SEED, form_of, settings_query, typed_parameters
from webapp.composer.matrix import Form

GONE = "This preset was deleted."


def settings_in(form: Form, model: Model) -> dict[str, Any]:
    """Return the parameters in the form that a preset keeps: all but the seed and files, which are for one picture."""
    given = typed_parameters({name: values for name, values in form.items() if name != SEED}, model)
    properties = model.input_schema["properties"]
    return {name: value for name, value in given.items() if not input_files.takes_file(properties.get(name, {}))}


async def filled_in(form: Form) -> Form | None:
    """Return the form with the settings of the preset that it names in `preset`, or None when that is gone.

    The preset decides the model. The prompt, the seed and the files in the form stay; its other settings do not.
    """
    preset = await presets.find(form["preset"][-1])
    if preset is None:
        return None
    model = await registry.stored(preset.model)
    properties = model.input_schema["properties"] if model else {}
    files = {PREFIX + name for name, schema in properties.items() if input_files.takes_file(schema)}
    stay = {
        name: values for name, values in form.items() if not name.startswith(PREFIX) or name == SEED or name in files
    }
    del stay["preset"]
    return stay | form_of(settings_query(preset.model, presets.settings_of(preset)))
