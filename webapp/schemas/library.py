"""The shapes of what jobs are made with and found by: models, uploads, collections and saved searches."""

from typing import Annotated, Any, Self
from uuid import UUID

from msgspec import UNSET, Meta, Struct

from tasks.curation import presets
from tasks.db import model_tables, tables
from tasks.files.media_types import MEDIA_TYPES
from tasks.models import registry
from webapp.schemas.members import Count, Kind, Maybe, Parameters, Pixels, Sha256, Time, given


class Upload(Struct, kw_only=True):
    """An input file that is stored."""

    url: Annotated[str, Meta(description="The path of the file on this site.")]
    kind: Kind
    media_type: str
    bytes: Count
    width: Maybe[Pixels] = UNSET
    height: Maybe[Pixels] = UNSET
    sha256: Sha256

    @classmethod
    def of(cls, row: tables.Upload) -> "Upload":
        """Return the shape of an upload."""
        return cls(
            url=f"/media/{row.key}", kind=Kind(MEDIA_TYPES[row.key.rpartition(".")[2]].kind),
            media_type=row.media_type, bytes=row.bytes, width=given(row.width), height=given(row.height),
            sha256=row.sha256,
        )  # fmt: skip


class Model(Struct, kw_only=True):
    """A model on Replicate."""

    name: Annotated[str, Meta(description="owner/name, or owner/name:version.")]
    kind: Annotated[str, Meta(description="What it makes: image, video, audio, or other where it is not known.")]
    official: Annotated[bool, Meta(description="Whether Replicate maintains it.")]
    description: str
    version: Maybe[
        Annotated[str, Meta(description="The latest version. Absent for a model that is called by its name.")]
    ] = UNSET

    @classmethod
    def of(cls, model: registry.Model, **more: Any) -> Self:
        """Return the shape of a model. more: the members of ModelInFull."""
        return cls(
            name=model.name, kind=model.kind, official=model.official, description=model.description,
            version=model.version or UNSET, **more,
        )  # fmt: skip


class ModelInFull(Model, kw_only=True):
    """A model on Replicate with what it takes and returns."""

    input_schema: Annotated[dict[str, Any], Meta(description="The JSON Schema of the input.")]
    output_schema: Annotated[dict[str, Any], Meta(description="The JSON Schema of the output.")]
    defaults: Parameters

    @classmethod
    def whole(cls, model: registry.Model) -> "ModelInFull":
        """Return the shape of a model with everything."""
        properties = model.input_schema["properties"]
        defaults = {field: schema["default"] for field, schema in properties.items() if "default" in schema}
        return cls.of(model, input_schema=model.input_schema, output_schema=model.output_schema, defaults=defaults)


class ModelList(Struct):
    """The models to choose from."""

    models: list[Model]


class Preset(Struct, kw_only=True):
    """Settings of a model under a name."""

    id: UUID
    model: Annotated[str, Meta(description="owner/name, or owner/name:version.")]
    name: Annotated[str, Meta(description="Unique for the model.")]
    parameters: Parameters
    created_at: Time

    @classmethod
    def of(cls, row: model_tables.Preset) -> "Preset":
        """Return the shape of a preset."""
        return cls(
            id=row.id, model=row.model, name=row.name, parameters=presets.settings_of(row), created_at=row.created_at
        )


class PresetList(Struct):
    """The presets of all models."""

    presets: list[Preset]


class Collection(Struct):
    """A collection."""

    name: str
    jobs: Annotated[int, Meta(ge=0, description="Those outside the trash.")]


class CollectionList(Struct):
    """All collections."""

    collections: list[Collection]


class SavedSearch(Struct):
    """A search with its order, under a name."""

    name: str
    q: str
    sort: str


class SavedSearchList(Struct):
    """All saved searches."""

    searches: list[SavedSearch]


class Made(Struct):
    """How a file was made."""

    use: Annotated[
        str, Meta(description="The address of the composer, filled in with the prompt, model and parameters.")
    ]
