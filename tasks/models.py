"""Which models there are, what each takes, and whether some input is right for one."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, partial
from time import monotonic
from typing import Any

import jsonschema_rs
import msgspec

from tasks.database import now
from tasks.lookups import Lookups
from tasks.refusals import NotFound
from tasks.replicate import RemoteModel, Replicate
from tasks.schemas import Fault, Path, Schema, faults, plain, validator
from tasks.settings import ROOT
from tasks.strict_json import MOST
from tasks.tables import ModelSchema

CATALOGUE = ROOT / "tasks" / "catalogue"
BUILT_IN = {
    "stability-ai/sdxl": "image",
    "black-forest-labs/flux-schnell": "image",
    "google/nano-banana": "image",
    "minimax/hailuo-02": "video",
    "meta/musicgen": "audio",
}
"""The models that are there out of the box, and what they make."""

SQUARE, WIDE = (1024, 1024), (1280, 720)

PROMPTS = ("prompt", "text")
"""What models call the words they work from, the likeliest first."""

KEPT = 5.0  # seconds that this process remembers what a model takes
REMEMBERED = 256  # models
LOOKUP_SECONDS = 300.0  # that one which was looked up, and which no job uses yet, is remembered
UNKNOWN_SECONDS = 60.0  # that a name is remembered which Replicate does not know

MAX_PROMPT = 10_000  # characters
MAX_SEED = 2**31 - 1

_remembered: dict[str, tuple[float, "Model"]] = {}  # name -> until when it is remembered, and the model
_lookups: Lookups["Model"] = Lookups(LOOKUP_SECONDS, UNKNOWN_SECONDS, REMEMBERED)


@dataclass(frozen=True)
class Model:
    """A model and what it takes. name: owner/name, and :version where somebody asked for that one."""

    name: str
    version: str | None
    official: bool
    description: str
    schemas: Mapping[str, Any]

    @property
    def reference(self) -> str:
        """What a prediction is created with: official models by name, others by name and version."""
        owner_and_name = self.name.partition(":")[0]
        return owner_and_name if self.official or self.version is None else f"{owner_and_name}:{self.version}"

    @property
    def kind(self) -> str:
        """image, video or audio where we know it, else other."""
        return BUILT_IN.get(self.name.partition(":")[0], "other")

    @cached_property
    def input_schema(self) -> Schema:
        """What it takes, as plain JSON Schema, properties in the order its makers gave them."""
        return plain(self.schemas, "Input")

    @cached_property
    def output_schema(self) -> Schema:
        """What it makes, as plain JSON Schema."""
        return plain(self.schemas, "Output")

    @property
    def prompt_name(self) -> str | None:
        """What it calls the prompt, or None where it takes no words."""
        return next((name for name in PROMPTS if name in self.input_schema["properties"]), None)

    @property
    def largest_seed(self) -> int | None:
        """The largest seed that it and our database take, or None where it takes none."""
        takes = self.input_schema["properties"].get("seed")
        return None if takes is None else min(int(takes.get("maximum", MAX_SEED)), MOST)

    @cached_property
    def _validator(self) -> jsonschema_rs.Validator:
        return validator(self.input_schema)

    def arguments(self, prompt: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The input of a prediction: the prompt, the parameters and, if it takes a seed and none is given, ours."""
        seed = {} if self.largest_seed is None else {"seed": secrets.randbelow(self.largest_seed + 1)}
        return {**seed, **parameters, self.prompt_name or "prompt": prompt}

    def faults(self, prompt: str, parameters: Mapping[str, Any]) -> list[Fault]:
        """Everything that is wrong with a request for it, at the places in the request's body."""
        if self.prompt_name is None:
            return [Fault("/model", f"{self.name} takes no text prompt.")]
        if self.prompt_name in parameters:
            return [
                Fault(f"/parameters/{self.prompt_name}", "The prompt belongs beside the parameters, not among them.")
            ]
        found = faults(self._validator, self.input_schema["properties"], {**parameters, self.prompt_name: prompt})
        return [Fault(self._pointer(path), sentence) for path, sentence in sorted(found)]

    def _pointer(self, path: Path) -> str:
        if path[:1] == (self.prompt_name,):
            return "/prompt"
        return "/".join(["/parameters", *(step.replace("~", "~0").replace("/", "~1") for step in path)])


async def find(name: str, replicate: Replicate) -> Model | None:
    """A model by its name, owner/name or owner/name:version: from the database, the catalogue, or fetched and kept.

    None: Replicate knows no such model. Raises Failure when Replicate could not be asked.
    """
    return await stored(name) or await refresh(name, replicate)


async def look_up(name: str, replicate: Replicate) -> Model | None:
    """The same for whoever only looks, or asks for a job that is not accepted yet: nothing is stored.

    What Replicate said, also that it knows no such model, is remembered for a while. Who asks meanwhile shares it.
    """
    return await stored(name) or await _lookups.find(name, partial(_fetch, name, replicate))


async def keep(model: Model) -> None:
    """Store a model that was looked up, as a job uses it now: from then on it is among those to choose from."""
    if _lookups.pop(model.name) is not None:
        await _store(model)


async def refresh(name: str, replicate: Replicate) -> Model | None:
    """Fetch what Replicate says of a model now, and keep it. None: it knows no such model. Raises Failure."""
    model = await _fetch(name, replicate)
    if model is not None:
        await _store(model)
    return model


async def stored(name: str) -> Model | None:
    """A model by its name, without asking Replicate; as it was a few seconds ago."""
    until, model = _remembered.get(name, (0.0, None))
    if model is not None and monotonic() < until:
        return model
    row = await ModelSchema.objects().where(ModelSchema.name == name).first()
    model = _from_row(row) if row is not None else built_in(name)
    if model is not None:
        _remember(model)
    return model


def forget() -> None:
    """Remember no model, as a new process does."""
    _remembered.clear()
    _lookups.forget()


async def known() -> list[Model]:
    """The models to choose from: those out of the box, then those somebody has asked for, by name."""
    rows = {row.name: row for row in await ModelSchema.objects().order_by(ModelSchema.name)}
    ours = [_from_row(rows.pop(name)) if name in rows else built_in(name) for name in BUILT_IN]
    return [model for model in ours if model] + [_from_row(row) for row in rows.values()]


def usual_size(name: str) -> tuple[int, int]:
    """The size in pixels of what a model makes unless told otherwise: films are wide, all else is square."""
    return WIDE if BUILT_IN.get(name.partition(":")[0]) == "video" else SQUARE


@cache
def built_in(name: str) -> Model | None:
    """One of the models that are there out of the box, from a file as Replicate's API answers it."""
    if name not in BUILT_IN:
        return None
    remote = msgspec.json.decode((CATALOGUE / f"{name.replace('/', '--')}.json").read_bytes(), type=RemoteModel)
    return _from_remote(name, remote)


async def _fetch(name: str, replicate: Replicate) -> Model | None:
    owner_and_name, _, version = name.partition(":")
    try:
        remote = await replicate.model(owner_and_name)
        if version and (remote.latest_version is None or remote.latest_version.id != version):
            remote.latest_version = await replicate.version(owner_and_name, version)
    except NotFound:
        return None
    return _from_remote(name, remote, pinned=bool(version))


async def _store(model: Model) -> None:
    changes: dict[Any, Any] = {
        ModelSchema.version: model.version,
        ModelSchema.official: model.official,
        ModelSchema.description: model.description,
        ModelSchema.schemas: json.dumps(model.schemas),
        ModelSchema.fetched_at: now(),
    }
    await ModelSchema.insert(ModelSchema({ModelSchema.name: model.name, **changes})).on_conflict(
        target=ModelSchema.name, action="DO UPDATE", values=list(changes)
    )
    _remember(model)


def _remember(model: Model) -> None:
    if len(_remembered) >= REMEMBERED:
        _remembered.clear()
    _remembered[model.name] = monotonic() + KEPT, model


def _from_remote(name: str, remote: RemoteModel, pinned: bool = False) -> Model:
    latest = remote.latest_version
    schemas = latest.openapi_schema.get("components", {}).get("schemas", {}) if latest else {}
    return Model(
        name, latest.id if latest else None, remote.is_official and not pinned, remote.description or "", schemas
    )


def _from_row(row: ModelSchema) -> Model:
    return _parsed(row.name, row.version, row.official, row.description, row.schemas)


@lru_cache(maxsize=256)
def _parsed(name: str, version: str | None, official: bool, description: str, schemas: str) -> Model:
    """Parsed once: a model keeps its compiled validator, which costs more than a request."""
    return Model(name, version, official, description, json.loads(schemas))
