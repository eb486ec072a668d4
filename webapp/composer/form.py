"""The composer, the form for a prompt: built from a model's schema, filled in, and parsed when it is sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.admission.matrix import quoted
from tasks.curation import model_marks, presets
from tasks.curation.model_marks import UNMARKED
from tasks.db.model_tables import Preset
from tasks.errors import Fault
from tasks.files import input_files
from tasks.library import lineage
from tasks.models import registry, strict_json
from tasks.models.registry import Model
from tasks.models.schemas import Schema
from tasks.models.strict_json import Malformed
from webapp.composer.controls import MAX_FILES, PREFIX, Control, controls, text, types
from webapp.composer.estimate import NO_ESTIMATE, Estimate, estimate
from webapp.composer.matrix import Form, MatrixFields, last, matrix_fields
from webapp.composer.sizes import NO_SIZES, Sizes, sizes
from webapp.render.templates import short_model
from webapp.render.views import CardView

SEED = f"{PREFIX}seed"
FIELDS = frozenset({"prompt", "model", "other_model", "seeds", "models", "made_from"})  # besides the parameters


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that the user can choose."""

    name: str
    title: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class FormFault:
    """A fault, and the form field that it belongs to, if any."""

    sentence: str
    control: str | None


@dataclass(frozen=True, slots=True)
class PresetBar:
    """The presets of the chosen model. name: as it was typed for a new one. fault: why that was refused."""

    rows: Sequence[Preset] = ()
    name: str = ""
    fault: str = ""


NO_PRESETS = PresetBar()


@dataclass(frozen=True, slots=True)
class Composer:
    """The filled-in form.

    kind: what the model makes, as `Model.kind`. models: those of the menu, starred ones first. source: the job that the
    new one is made from. lock: whether the next job keeps the seed. given: whether the address or the sent form says
    how it is filled in.
    """

    prompt: str
    model: str
    kind: str
    models: list[Choice]
    controls: list[Control]
    matrix: MatrixFields
    faults: list[FormFault] = field(default_factory=list)
    source: CardView | None = None
    lock: bool = False
    estimate: Estimate = NO_ESTIMATE
    given: bool = False
    presets: PresetBar = NO_PRESETS
    sizes: Sizes = NO_SIZES

    @property
    def unplaced(self) -> list[FormFault]:
        """The faults that belong to no field of the form: the others are told beside their fields, and only there."""
        fields = {"prompt", "model", "seeds", "models", *(control.name for control in self.controls)}
        return [fault for fault in self.faults if fault.control not in fields]


async def compose(form: Form, model: Model | None, faults: Sequence[Fault] = ()) -> Composer:
    """Return the form for a model, with what was typed and its faults. model: None when it is not known yet."""
    shown = [FormFault(fault.message, _control_name(fault.pointer)) for fault in faults]
    by_control = {fault.control: fault.sentence for fault in reversed(shown)}
    values = {name: last(form, name) for name in form}
    made = list(controls(model, values, by_control)) if model else []
    name = model.name if model else last(form, "model") or last(form, "other_model")
    choices = await _menu(name)
    source = await lineage.source(last(form, "made_from"))
    return Composer(
        prompt=last(form, "prompt"),
        model=name,
        kind=model.kind if model else "other",
        models=choices,
        controls=made,
        matrix=matrix_fields(form, name),
        faults=shown,
        source=CardView(source) if source else None,
        lock=bool(last(form, "lock")),
        estimate=await estimate(form, model, typed_parameters(form, model) if model else {}),
        given=any(name in FIELDS or name.startswith(PREFIX) for name in form),
        presets=PresetBar(await presets.of_model(name)) if model else NO_PRESETS,
        sizes=sizes(model, values) if model else NO_SIZES,
    )


def form_of(fields: Iterable[tuple[str, object]]) -> dict[str, list[str]]:
    """Return the fields of a form or of a query string by their names."""
    form: dict[str, list[str]] = {}
    for name, value in fields:
        form.setdefault(name, []).append(str(value))
    return form


def chosen_model(form: Form, default: str) -> str:
    """Return the name of the model that was chosen or typed."""
    if "model" not in form:
        return default
    return last(form, "model") or last(form, "other_model").strip()


def typed_parameters(form: Form, model: Model) -> dict[str, Any]:
    """Return the parameters in the form, converted to the types in the model's schema.

    A value that cannot be converted stays text, so that validation finds its fault.
    """
    properties = model.input_schema["properties"]
    parameters = {}
    for name in form:
        if name.startswith(PREFIX) and (typed := last(form, name).strip()):
            parameters[name.removeprefix(PREFIX)] = _typed(typed, properties.get(name.removeprefix(PREFIX), {}))
    return parameters


def made_from(form: Form) -> str | None:
    """Return the id, as it is in the form, of the job that the new one is made from, if any."""
    return last(form, "made_from") or None


def fitting(form: Form, model: Model | None) -> Form:
    """Return the form without another model's parameters that this model does not accept, or not with these values."""
    if model is None:
        return form
    parameters = input_files.checkable(model, typed_parameters(form, model))
    wrong = {_control_name(fault.pointer) for fault in model.faults("any", parameters)}
    return {name: values for name, values in form.items() if name not in wrong}


def after(form: Form) -> Form:
    """Return the form as it is after it was sent: without the seed, unless the seed is locked."""
    return form if last(form, "lock") else {name: values for name, values in form.items() if name != SEED}


def as_query(
    prompt: str, model: str, parameters: Mapping[str, Any], made_from: object = None, lock: bool = False
) -> list[tuple[str, str]]:
    """Return the fields of the query string that fills in the form. A prompt that looks like a matrix is escaped."""
    more = [("made_from", str(made_from))] if made_from else []
    return [
        ("prompt", quoted(prompt)), *settings_query(model, parameters), *more, *([("lock", "on")] if lock else []),
    ]  # fmt: skip


def settings_query(model: str, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of the query string for a model and its parameters alone."""
    return [("model", model), *((f"{PREFIX}{name}", text(value)) for name, value in parameters.items())]


async def _menu(chosen: str) -> list[Choice]:
    """Return the models to choose from, starred ones first, without those that are hidden and not chosen."""
    marks = await model_marks.all_of_them()
    known = [(model, marks.get(model.name, UNMARKED)) for model in await registry.known()]
    shown = [(model, mark) for model, mark in known if not mark.hidden or model.name == chosen]
    shown.sort(key=lambda each: not each[1].starred)
    return [Choice(model.name, short_model(model.name), model.kind, model.description) for model, _ in shown]


def _typed(typed: str, schema: Schema) -> Any:
    kinds = types(schema)
    if "array" in kinds:
        return typed.split(maxsplit=MAX_FILES)  # the rest stays one text, so that validation finds its fault
    for choice in schema.get("enum", []):
        if str(choice) == typed:
            return choice
    if {"integer", "number", "boolean", "object"} & set(kinds):
        try:
            return strict_json.decode(typed)
        except Malformed:
            return typed
    return typed


def _control_name(pointer: str) -> str | None:
    member, _, rest = pointer.removeprefix("/").partition("/")
    if member == "parameters":
        return PREFIX + rest.partition("/")[0] if rest else None
    return member or None
