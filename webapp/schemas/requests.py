"""The shapes of what programs send.

Their members are `object`: they are checked later, all of them at once, with sentences for people.
"""

from typing import Annotated, ClassVar, Literal, Self

from msgspec import UNSET, Meta, Struct

from tasks.admission.matrix import MAX_PRINTS
from tasks.admission.options import LONGEST, MAX_METADATA_VALUE, MAX_PAIRS, METADATA_NAME, SHORTEST
from tasks.curation.edits import MAX_NOTES_LENGTH, MAX_TAGS
from tasks.curation.names import MAX_COLLECTION_LENGTH, MAX_TAG_LENGTH
from tasks.curation.presets import MAX_NAME_LENGTH
from tasks.jobs.pauses import MAX_REASON_LENGTH
from tasks.library.query import MAX_LENGTH
from tasks.models.names import OWNER_AND_NAME
from tasks.models.registry import MAX_PROMPT_LENGTH
from tasks.outbox.addresses import MAX_URL_LENGTH
from tasks.settings import MODEL_NAME
from webapp.schemas.members import PARAMETERS, JobId, Maybe

NULL = {"type": "null"}
MODEL = {"type": "string", "pattern": MODEL_NAME, "examples": ["black-forest-labs/flux-schnell"]}

SentPrompt = Annotated[
    object,
    Meta(
        description="What to make. Kept exactly as sent; not blank, no NUL.",
        extra_json_schema={"type": "string", "minLength": 1, "maxLength": MAX_PROMPT_LENGTH, "pattern": r"[^\s]"},
    ),
]
SentParameters = Annotated[
    object,
    Meta(
        description="The model's other inputs by name, as an object or as a string that contains one. Inputs that the "
        "model does not accept are rejected. At most 32,768 characters as JSON, with whole numbers that fit in 64 "
        "bits. Send files to `POST /uploads` and use their `url`.",
        extra_json_schema={
            "anyOf": [
                PARAMETERS,
                {"type": "string", "contentMediaType": "application/json"},
                NULL,
            ]
        },
    ),
]
SentModel = Annotated[
    object,
    Meta(
        description="A model on Replicate: owner/name or owner/name:version. Default: the default model.",
        extra_json_schema={"anyOf": [MODEL, NULL]},
    ),
]
SentPriority = Annotated[
    object,
    Meta(
        description="Which of the waiting jobs go first. Default: normal.",
        extra_json_schema={"anyOf": [{"$ref": "#/components/schemas/Priority"}, NULL]},
    ),
]
SentSeconds = Annotated[
    object,
    Meta(
        description="Seconds that a job may take in total. After that it is canceled and fails with `deadline`. "
        "Default: the operator's setting, one day unless changed.",
        extra_json_schema={"anyOf": [{"type": "integer", "minimum": SHORTEST, "maximum": LONGEST}, NULL]},
    ),
]
SentJob = Annotated[
    object,
    Meta(
        description="The job whose result or settings this one is based on, if any.",
        extra_json_schema={"anyOf": [{"type": "string", "format": "uuid"}, NULL]},
    ),
]
SentMetadata = Annotated[
    object,
    Meta(
        description="Up to 20 strings by name, with at most 2,048 bytes as JSON: kept with the job, answered with it, "
        "and found by searches such as `meta.order:17`.",
        extra_json_schema={
            "anyOf": [
                {
                    "type": "object",
                    "maxProperties": MAX_PAIRS,
                    "propertyNames": {"pattern": f"^{METADATA_NAME.pattern}$"},
                    "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_VALUE},
                },
                NULL,
            ]
        },
    ),
]

SentWebhook = Annotated[
    object,
    Meta(
        description="An address that is told when the job ends, or the batch, besides your endpoints: see "
        "`GET /webhooks/secret`.",
        extra_json_schema={"anyOf": [{"type": "string", "format": "uri", "maxLength": MAX_URL_LENGTH}, NULL]},
    ),
]

Favorite = Annotated[object, Meta(extra_json_schema={"type": "boolean"})]
Rating = Annotated[
    object,
    Meta(description="0 removes the rating.", extra_json_schema={"type": "integer", "minimum": 0, "maximum": 5}),
]


class Sent(Struct, kw_only=True, forbid_unknown_fields=True):
    """A body as it was sent: nothing is checked yet but its members."""

    required: ClassVar[dict[str, None]] = {}
    """The members that must be sent, as they are when they are missing."""

    @classmethod
    def of(cls, body: dict[str, object]) -> Self:
        """Return a body, whose members must be known, as this type."""
        return cls(**cls.required | body)


class Resume(Sent):
    """What to resume."""

    model: Annotated[
        object,
        Meta(
            description="The model, owner/name, or none for the whole queue.",
            extra_json_schema={"type": "string", "pattern": f"^{OWNER_AND_NAME.pattern}$"},
        ),
    ] = None


class Pause(Resume):
    """What to pause, why, and until when."""

    reason: Annotated[
        object,
        Meta(description="Why, for people.", extra_json_schema={"type": "string", "maxLength": MAX_REASON_LENGTH}),
    ] = None
    until: Annotated[
        object,
        Meta(
            description="When it ends by itself, in ISO 8601. By default it lasts until it is resumed.",
            extra_json_schema={"type": "string", "format": "date-time"},
        ),
    ] = None


class Generate(Sent):
    """A request for one job."""

    required = {"prompt": None}

    prompt: SentPrompt
    parameters: SentParameters = None
    model: SentModel = None
    priority: SentPriority = None
    finish_within: SentSeconds = None
    made_from: SentJob = None
    metadata: SentMetadata = None
    webhook: SentWebhook = None


class GenerateBatch(Sent):
    """A request for a batch: every combination of the alternatives in the prompt, the models and the seeds."""

    required = {"prompt": None}

    prompt: SentPrompt
    models: Annotated[
        object,
        Meta(
            description="Models on Replicate: owner/name or owner/name:version. Default: the default model.",
            extra_json_schema={
                "anyOf": [{"type": "array", "minItems": 1, "maxItems": MAX_PRINTS, "items": MODEL}, NULL],
            },
        ),
    ] = None
    seeds: Annotated[
        object,
        Meta(
            description="A list of seeds, or a number of random seeds. Only for models that accept a seed. Default: a "
            "random seed for each job whose model accepts one.",
            extra_json_schema={
                "anyOf": [
                    {"type": "array", "minItems": 1, "items": {"type": "integer"}},
                    {"type": "integer", "minimum": 1, "maximum": MAX_PRINTS},
                    NULL,
                ]
            },
        ),
    ] = None
    parameters: SentParameters = None
    priority: SentPriority = None
    finish_within: SentSeconds = None
    made_from: SentJob = None
    metadata: SentMetadata = None
    webhook: SentWebhook = None


class EstimateJobs(GenerateBatch):
    """A request for an estimate: the body of a request for a job, or, with `models` or `seeds`, for a batch."""

    model: SentModel = None


class OutputChange(Sent):
    """Changes to one output of a job. What is absent stays as it is."""

    required = {"position": None}

    position: Annotated[object, Meta(extra_json_schema={"type": "integer", "minimum": 0})]
    favorite: Favorite = UNSET
    rating: Rating = UNSET
    trashed: Annotated[
        object,
        Meta(
            description="Moves the output to the trash, or restores it. The last one takes its job with it.",
            extra_json_schema={"type": "boolean"},
        ),
    ] = UNSET


class Change(Sent):
    """Changes to a job. What is absent stays as it is."""

    favorite: Favorite = UNSET
    rating: Rating = UNSET
    tags: Annotated[
        object,
        Meta(
            description="Replaces all tags. Stored in lower case, with single spaces.",
            extra_json_schema={
                "type": "array",
                "maxItems": MAX_TAGS,
                "items": {"type": "string", "minLength": 1, "maxLength": MAX_TAG_LENGTH, "pattern": '^[^,"]+$'},
            },
        ),
    ] = UNSET
    notes: Annotated[object, Meta(extra_json_schema={"type": "string", "maxLength": MAX_NOTES_LENGTH})] = UNSET
    trashed: Annotated[
        object,
        Meta(
            description="Moves the job to the trash, or restores it. Only ended jobs can be in the trash.",
            extra_json_schema={"type": "boolean"},
        ),
    ] = UNSET
    outputs: Maybe[
        Annotated[
            list[OutputChange],
            Meta(description="Changes to single outputs, made after those to the job, which are to all its outputs."),
        ]
    ] = UNSET


class SavePreset(Sent):
    """Settings of a model that are kept under a name."""

    required = {"model": None, "name": None}

    model: Annotated[
        object, Meta(description="A model on Replicate: owner/name or owner/name:version.", extra_json_schema=MODEL)
    ]
    name: Annotated[
        object,
        Meta(
            description="Unique for the model.",
            extra_json_schema={
                "type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH, "pattern": r"[^\s]",
                "examples": ["Portrait 4:5, 30 steps"],
            },
        ),
    ]  # fmt: skip
    parameters: SentParameters = None


class Selection(Struct):
    """The form of an action on many jobs."""

    action: Annotated[
        Literal[
            "favorite:yes", "favorite:no", "rate:0", "rate:1", "rate:2", "rate:3", "rate:4", "rate:5", "tag", "untag",
            "collect", "take out", "trash", "restore", "keep", "retry", "cancel", "delete",
        ],
        Meta(
            description="`trash` applies to ended jobs only, `retry` to failed and canceled ones, `cancel` to waiting "
            "ones, `delete` (permanent) to those in the trash. `keep` moves to the trash what is no favorite of the "
            "jobs that have favorites."
        ),
    ]  # fmt: skip
    tag: Maybe[Annotated[str, Meta(max_length=MAX_TAG_LENGTH, description="For `tag` and `untag`.")]] = UNSET
    collection: Maybe[
        Annotated[
            str,
            Meta(
                max_length=MAX_COLLECTION_LENGTH,
                description="For `collect`, which creates the collection if needed, and `take out`.",
            ),
        ]
    ] = UNSET
    job: Maybe[Annotated[list[JobId], Meta(max_length=10_000, description="The ids of the jobs.")]] = UNSET
    all: Maybe[Annotated[Literal["1"], Meta(description="All jobs that `q` finds.")]] = UNSET
    q: Maybe[Annotated[str, Meta(max_length=MAX_LENGTH, description="A search, as in the gallery.")]] = UNSET


Bytes = Annotated[str, Meta(extra_json_schema={"format": "binary"})]
"""A file as the body."""


class UploadForm(Struct):
    """A form with a file."""

    file: Annotated[str, Meta(extra_json_schema={"format": "binary", "contentMediaType": "application/octet-stream"})]
