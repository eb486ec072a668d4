"""The codes of errors: what each means, and the status that it comes with."""

from enum import StrEnum


class Code(StrEnum):
    """A kind of error, stable for programs. /errors/{code} explains it to people.

    status: the HTTP status that it usually comes with. meaning: when it is returned, and what to do, as sentences.
    """

    status: int
    meaning: str

    def __new__(cls, value: str, status: int, meaning: str) -> "Code":
        """Return the member with this value."""
        code = str.__new__(cls, value)
        code._value_, code.status, code.meaning = value, status, meaning
        return code

    @classmethod
    def of(cls, text: str) -> "Code":
        """Return the code that is written like this. Raises ValueError when there is none."""
        return cls(text)  # type: ignore[call-arg]  # mypy takes the arguments of __new__ for those of a lookup

    @property
    def summary(self) -> str:
        """The kind in a few words, the same for every error of its kind (RFC 9457, section 3.1.3)."""
        return self.value.replace("_", " ").capitalize()

    BAD_REQUEST = (
        "bad_request",
        400,
        "The request is not valid HTTP, a parameter has a wrong type, or a form is damaged.",
    )
    INCOMPLETE_BODY = "incomplete_body", 400, "The connection ended before the whole body had arrived. Send it again."
    INVALID_CLIENT = "invalid_client", 400, "The X-Client header must have 1 to 100 visible ASCII characters."
    INVALID_IDEMPOTENCY_KEY = (
        "invalid_idempotency_key", 400, "The Idempotency-Key header must have 1 to 255 visible ASCII characters.",
    )  # fmt: skip
    MALFORMED_JSON = (
        "malformed_json", 400, "The body is not JSON, is nested over 32 levels deep, or has more than 10,000 values.",
    )  # fmt: skip
    NOT_SIGNED = "not_signed", 400, "The webhook is not signed by Replicate, or too old."
    SIGN_IN_REQUIRED = "sign_in_required", 401, "This needs a key, in the header `Authorization: Bearer dk_...`."
    KEY_MISTYPED = "key_mistyped", 401, "The key is mistyped, incomplete, or not a key of Darkroom."
    KEY_UNKNOWN = "key_unknown", 401, "There is no such key."
    KEY_REVOKED = "key_revoked", 401, "The key was revoked or replaced, or its owner was disabled."
    KEY_EXPIRED = "key_expired", 401, "The key has expired."
    BUDGET_EXCEEDED = (
        "budget_exceeded",
        402,
        "A budget has no room for what the request may cost. `budget` says which one, what is left and when it starts "
        "over.",
    )
    PRICE_UNKNOWN = "price_unknown", 402, "A budget applies, and the price of the model is not known."
    MISSING_SCOPE = "missing_scope", 403, "The key lacks the scope that this needs. WWW-Authenticate names it."
    MODEL_NOT_ALLOWED = "model_not_allowed", 403, "The key may only use some models, and this is none of them."
    NOT_ALLOWED = "not_allowed", 403, "The role of the person does not allow this."
    CROSS_SITE = (
        "cross_site", 403,
        "A browser sent the request from a page of another site, or through a proxy that changes the Host header while "
        "PUBLIC_URL is not set.",
    )  # fmt: skip
    NOT_FOUND = "not_found", 404, "There is nothing at this address."
    BATCH_NOT_FOUND = "batch_not_found", 404, "There is no batch with this id."
    COLLECTION_NOT_FOUND = "collection_not_found", 404, "There is no collection with this id."
    JOB_NOT_FOUND = "job_not_found", 404, "There is no job with this id."
    MODEL_NOT_FOUND = "model_not_found", 404, "Replicate knows no model with this name."
    PRESET_NOT_FOUND = "preset_not_found", 404, "There is no preset with this id."
    UNDO_GONE = "undo_gone", 404, "The update was undone already, or is over a day old."
    METHOD_NOT_ALLOWED = (
        "method_not_allowed", 405, "The address does not support the method. The Allow header lists those it does.",
    )  # fmt: skip
    IN_TRASH = "in_trash", 409, "The job is in the trash. Restore it first."
    JOB_NOT_ENDED = "job_not_ended", 409, "The job is still queued or running. Cancel it first."
    UPLOAD_IN_USE = "upload_in_use", 409, "A job uses the file. It stays as long as the job does."
    NOT_WAITING = "not_waiting", 409, "The job does not wait for its turn, so it cannot be moved to the front."
    NOT_RETRYABLE = "not_retryable", 409, "The job is completed, so there is nothing to retry."
    LINK_GONE = "link_gone", 410, "The link was used, replaced by a newer one, or is over a day old."
    JOB_DELETED = "job_deleted", 410, "The job was deleted, with its files."
    BODY_TOO_LARGE = (
        "body_too_large",
        413,
        "The body is larger than this address accepts: 1 MiB, unless it takes files.",
    )
    TOO_MANY_FIELDS = "too_many_fields", 413, "The form, or the query of the address, has too many fields."
    UPLOAD_TOO_LARGE = "upload_too_large", 413, "The file is larger than the operator allows, 100 MiB by default."
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported_media_type", 415, "The Content-Type header names another type than this address accepts.",
    )  # fmt: skip
    UPLOAD_TYPE_REFUSED = (
        "upload_type_refused",
        415,
        "SVG and HTML files are not accepted, because they may hold programs.",
    )
    WRONG_HOST = (
        "wrong_host", 421,
        "The Host header names another server (400 when it is missing or repeated). The operator lists the names of "
        "this one in ALLOWED_HOSTS.",
    )  # fmt: skip
    INVALID_REQUEST = (
        "invalid_request", 422, "Several things in the body are wrong, or one that has no code of its own.",
    )  # fmt: skip
    IDEMPOTENCY_MISMATCH = (
        "idempotency_mismatch", 422, "The Idempotency-Key was sent with another request before. Use a new one.",
    )  # fmt: skip
    INVALID_METADATA = (
        "invalid_metadata", 422, "The metadata is not an object of up to 20 strings, or has over 2 KiB.",
    )  # fmt: skip
    INVALID_PROMPT = "invalid_prompt", 422, "The prompt is missing, blank, too long, or not text."
    INVALID_PARAMETERS = "invalid_parameters", 422, "The parameters are not what the model accepts."
    INVALID_MODEL = "invalid_model", 422, "The model is not owner/name or owner/name:version."
    INVALID_MODELS = "invalid_models", 422, "The models are not a list of owner/name or owner/name:version."
    UNKNOWN_MODEL = "unknown_model", 422, "Replicate has no model with this name, or no such version of it."
    INVALID_SEEDS = "invalid_seeds", 422, "The seeds are not numbers, or one of the models accepts no seed."
    INVALID_PRIORITY = "invalid_priority", 422, "The priority is not low, normal or high."
    INVALID_FINISH_WITHIN = "invalid_finish_within", 422, "finish_within is not a number of seconds in its range."
    INVALID_MADE_FROM = "invalid_made_from", 422, "made_from is not the id of a job, or the job was deleted."
    INVALID_WEBHOOK = "invalid_webhook", 422, "The webhook is no URL, or one that nothing can be sent to."
    TOO_MANY = "too_many", 422, "The matrix makes more jobs than a batch may have."
    INVALID_QUERY = (
        "invalid_query",
        422,
        "The search, the order or the limit is invalid; each error names the parameter.",
    )
    INVALID_CURSOR = (
        "invalid_cursor",
        422,
        "The cursor is invalid, or belongs to another order. Start from the first page.",
    )
    INVALID_NAME = "invalid_name", 422, "The name is missing, too long, or taken."
    INVALID_BUDGET = "invalid_budget", 422, "The scope or the amount of a budget is invalid."
    INVALID_PRICE = "invalid_price", 422, "The model, the amount or the unit of a price is invalid."
    INVALID_KEY = "invalid_key", 422, "The name, the scopes or the models of a new key are invalid."
    NOTHING_SELECTED = "nothing_selected", 422, "Neither `job` nor `all` is given."
    UNCLEAR_SEARCH = "unclear_search", 422, "The search of a selection is invalid."
    INVALID_SELECTION = "invalid_selection", 422, "The action, its argument or the id of a job is invalid."
    UPLOAD_MISSING = "upload_missing", 422, "The form has no file."
    UPLOAD_EMPTY = "upload_empty", 422, "The file is empty."
    UPLOAD_UNREADABLE = "upload_unreadable", 422, "The file is damaged, or not what it says it is."
    NO_IMPRINT = "no_imprint", 422, "The file has no record of how it was made, or is not from Darkroom."
    QUEUE_FULL = (
        "queue_full", 429,
        "The maximum number of jobs is waiting: MAX_WAITING in total, MAX_WAITING_PER_CLIENT per address, regardless "
        "of client names. Nothing was accepted. Retry-After says when there will likely be room.",
    )  # fmt: skip
    INTERNAL_ERROR = "internal_error", 500, "An error in Darkroom. The operator finds it in the log."
    DATABASE_UNAVAILABLE = (
        "database_unavailable", 503,
        "The database is not responding. A request that submits jobs may have been carried out, though rarely: look "
        "before you send it again.",
    )  # fmt: skip
    STORAGE_UNAVAILABLE = "storage_unavailable", 503, "The storage for files is not responding."
    STREAM_UNAVAILABLE = "stream_unavailable", 503, "Live updates are not available now."
    PROVIDER_TIMEOUT = "provider_timeout", 503, "Replicate, which knows the model, did not answer in time."
    PROVIDER_UNREACHABLE = "provider_unreachable", 503, "Replicate, which knows the model, could not be reached."
    PROVIDER_ERROR = "provider_error", 503, "Replicate, which knows the model, had an error."
    PROVIDER_AUTH = (
        "provider_auth",
        503,
        "Replicate rejects the API token. The operator must check REPLICATE_API_TOKEN.",
    )
    PROVIDER_BILLING = "provider_billing", 503, "The Replicate account has no credit. The operator must add some."
    RATE_LIMITED = "rate_limited", 503, "Replicate asked Darkroom to slow down."
    FORBIDDEN = "forbidden", 503, "Replicate does not let the account use the model."
    INVALID_INPUT = "invalid_input", 503, "Replicate rejected the request for the model."
    INPUT_TOO_LARGE = "input_too_large", 503, "Replicate does not accept a file of this size."
    WEBHOOK_KEY_UNKNOWN = (
        "webhook_key_unknown",
        503,
        "Replicate did not send its key for webhooks. It will send this again.",
    )
    UPLOADS_FULL = (
        "uploads_full", 507,
        "All uploaded files together have reached the limit that the operator has set, 10 GiB by default.",
    )  # fmt: skip
