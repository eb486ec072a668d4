"""Find models, describe the input that each takes, and check whether an input is valid for one."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import jsonschema_rs
import msgspec
from async_lru import alru_cache

from tasks.db.database import now
from tasks.db.tables import ModelSchema
from tasks.errors import Fault, pointer
from tasks.models.names import bare
from tasks.models.schemas import Path, Schema, faults, plain, validator
from tasks.models.strict_json import MOST
from tasks.replicate.client import RemoteModel, Replicate
from tasks.replicate.errors import NotFound
from tasks.settings import ROOT

CATALOGUE = ROOT / "tasks" / "models" / "catalogue"
BUILT_IN = {
    "stability-ai/sdxl": "image",
    "black-forest-labs/flux-schnell": "image",
    "google/nano-banana": "image",
    "minimax/hailuo-02": "video",
    "meta/musicgen": "audio",
}
"""The built-in models, and what they make."""

SQUARE, WIDE = (1024, 1024), (1280, 720)

PROMPT_FIELDS = ("prompt", "text")
"""The names of the prompt among a model's inputs, the likeliest first."""

MODEL_TTL_SECONDS = 5.0  # seconds that this process caches a model
MAX_CACHED_MODELS = 256  # models
LOOKUP_TTL_SECONDS = 60.0  # that Replicate's answer is cached while no job uses the model, or it knows no such model

MAX_PROMPT_LENGTH = 10_000  # characters
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Model:
    """A model and its schemas. name: owner/name, with :version when a user requested that version."""

    name: str
    version: str | None
    official: bool
    description: str
    schemas: Mapping[str, Any]

    @property
    def reference(self) -> str:
        """The `version` to create a prediction with: official models by name, others by name and version."""
        owner_and_name = bare(self.name)
        return owner_and_name if self.official or self.version is None else f"{owner_and_name}:{self.version}"

    @property
    def kind(self) -> str:
        """What the model makes: image, video or audio when we know it, else other."""
        return BUILT_IN.get(bare(self.name), "other")

    @cached_property
    def input_schema(self) -> Schema:
        """The plain JSON Schema of the model's input, with properties in the order that its makers gave them."""
        return plain(self.schemas, "Input")

    @cached_property
    def output_schema(self) -> Schema:
        """The plain JSON Schema of the model's output."""
        return plain(self.schemas, "Output")

    @property
    def prompt_name(self) -> str | None:
        """The model's name for the prompt, or None when the model takes no prompt."""
        return next((name for name in PROMPT_FIELDS if name in self.input_schema["properties"]), None)

    @property
    def largest_seed(self) -> int | None:
        """The largest seed that both the model and our database accept, or None when the model takes no seed."""
        takes = self.input_schema["properties"].get("seed")
        return None if takes is None else min(int(takes.get("maximum", MAX_SEED)), MOST)

    @cached_property
    def _validator(self) -> jsonschema_rs.Validator:
        return validator(self.input_schema)

    def arguments(self, prompt: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the input of a prediction: the prompt and the parameters.

        If the model takes a seed and none is given, a random seed is added.
        """
        seed = {} if self.largest_seed is None else {"seed": secrets.randbelow(self.largest_seed + 1)}
        return {**seed, **parameters, self.prompt_name or "prompt": prompt}

    def faults(self, prompt: str, parameters: Mapping[str, Any]) -> list[Fault]:
        """Return everything that is wrong with a request for the model, with the places in the request's body."""
        if self.prompt_name is None:
            return [Fault("/model", f"{self.name} does not accept a text prompt.")]
        if self.prompt_name in parameters:
            return [
                Fault(pointer("parameters", self.prompt_name), "The prompt is a field of its own, not a parameter.")
            ]
        found = faults(self._validator, self.input_schema["properties"], {**parameters, self.prompt_name: prompt})
        return [Fault(self._pointer(path), sentence) for path, sentence in sorted(found)]

    def _pointer(self, path: Path) -> str:
        if path[:1] == (self.prompt_name,):
            return "/prompt"
        return pointer("parameters", *path)


async def find(name: str, replicate: Replicate) -> Model | None:
    """Return a model by its name, owner/name or owner/name:version.

    The model comes from the database or the catalog, or it is fetched from Replicate and stored. Returns None when
    Replicate knows no such model. Raises Failure when the request to Replicate fails.
    """
    return await stored(name) or await refresh(name, replicate)


async def look_up(name: str, replicate: Replicate) -> Model | None:
    """Return a model as `find` does, but store nothing: for readers, and for jobs that are not accepted yet.

    Replicate's answer is cached for a while, even when it knows no such model. Concurrent callers share one request.
    """
    return await stored(name) or await fetch(name, replicate)


async def keep(model: Model) -> None:
    """Store a looked-up model because a job uses it now. From then on it is one of the models to choose from."""
    if await stored(model.name) is None:
        await _store(model)


async def refresh(name: str, replicate: Replicate) -> Model | None:
    """Fetch a model from Replicate and store it.

    Returns None when Replicate knows no such model. Raises Failure when the request to Replicate fails.
    """
    fetch.cache_invalidate(name, replicate)
    model = await fetch(name, replicate)
    if model is not None:
        await _store(model)
    return model


@alru_cache(maxsize=MAX_CACHED_MODELS, ttl=MODEL_TTL_SECONDS)
async def stored(name: str) -> Model | None:
    """Return a model by its name, without a request to Replicate. It may be a few seconds old."""
    row = await ModelSchema.objects().where(ModelSchema.name == name).first()
    return _from_row(row) if row is not None else built_in(name)


async def known() -> list[Model]:
    """Return the models to choose from: the built-in ones, then those that users have requested, by name."""
    rows = {row.name: row for row in await ModelSchema.objects().order_by(ModelSchema.name)}
    ours = [_from_row(rows.pop(name)) if name in rows else built_in(name) for name in BUILT_IN]
    return [model for model in ours if model] + [_from_row(row) for row in rows.values()]


async def with_version(version: str) -> str | None:
    """Return the name, with this version, of the model that has it. Returns None when no model known here does."""
    row = await ModelSchema.select(ModelSchema.name).where(ModelSchema.version == version).first()
    names = [row["name"]] if row else [name for name in BUILT_IN if (it := built_in(name)) and it.version == version]
    return f"{bare(names[0])}:{version}" if names else None


def usual_size(name: str) -> tuple[int, int]:
    """Return the default size in pixels of a model's output: videos and sounds are wide, everything else is square."""
    return WIDE if BUILT_IN.get(bare(name)) in ("video", "audio") else SQUARE


@cache
def built_in(name: str) -> Model | None:
    """Return a built-in model from a file in the format of Replicate's API. Returns None for other names."""
    if name not in BUILT_IN:
        return None
    remote = msgspec.json.decode((CATALOGUE / f"{name.replace('/', '--')}.json").read_bytes(), type=RemoteModel)
    return _from_remote(name, remote)


@alru_cache(maxsize=MAX_CACHED_MODELS, ttl=LOOKUP_TTL_SECONDS)
async def fetch(name: str, replicate: Replicate) -> Model | None:
    """Return a model as Replicate describes it, or None when it knows no such model. Raises Failure."""
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
    stored.cache_invalidate(model.name)


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
    """Parse a model. It is cached because it keeps its compiled validator, which costs more than a request."""
    return Model(name, version, official, description, json.loads(schemas))
