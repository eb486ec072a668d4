"""Why an attempt failed, and whether a retry may help; and why a request is rejected."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Failure(Exception):
    """The reason why an attempt ended without a result.

    code: stable, for programs. message: a sentence for the user, without secrets. passing: whether the cause may pass,
    so that a retry may help. retry_after: the seconds that the server asked us to wait, or None. settled: whether the
    attempt can no longer produce a prediction, so that a retry may create, and pay for, another. free: whether the
    failure does not count toward the job's MAX_ATTEMPTS, because nothing was tried. details: the original text of the
    model or of Replicate, which may be technical. As a text it is what the log has: nothing of the model or Replicate.
    """

    code: str
    message: str
    passing: bool = False
    retry_after: float | None = None
    settled: bool = False
    free: bool = False
    details: str = ""

    def __str__(self) -> str:
        return self.code if self.code in QUOTING else f"{self.code}: {self.message}"


QUOTING = ("invalid_input", "model_error")
"""The codes of failures whose messages may quote the model or Replicate, who may quote the prompt."""


class DatabaseAway(Exception):
    """A failure of the database to answer or to write: the operation was not done, or its outcome is unknown."""


@contextmanager
def away_when(*errors: type[BaseException]) -> Iterator[None]:
    """Raise DatabaseAway in place of the given errors of a database driver while the block runs."""
    try:
        yield
    except errors as error:
        raise DatabaseAway(f"The database is not responding: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Fault:
    """An error in a request.

    pointer: the place in the body, as made by pointer(). message: a sentence that says what is allowed.
    """

    pointer: str
    message: str


def pointer(*steps: str) -> str:
    """Return the JSON Pointer (RFC 6901) to a place in a body: the names of members and the indexes that lead there."""
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)


class Rejected(Exception):  # the domain's term: a request is rejected
    """The error for a request that cannot become a job.

    code: stable, for programs. faults: everything wrong with the request, each with its place.
    """

    def __init__(self, code: str, faults: list[Fault]) -> None:
        super().__init__(code)
        self.code = code
        self.faults = faults


def reject(faults: Sequence[Fault], unknown: Sequence[Fault] = ()) -> None:
    """Raise Rejected when there are faults. unknown: those of members that do not exist.

    Its code is invalid_prompt, invalid_model, ... when all faults are in one known member, else invalid_request.
    """
    places = {fault.pointer.split("/")[1] for fault in faults}
    if faults or unknown:
        code = f"invalid_{places.pop()}" if len(places) == 1 and not unknown else "invalid_request"
        raise Rejected(code, [*unknown, *faults])


def reason(status: str, error: object) -> Failure:
    """Return the failure of a prediction that ended without a result, from Replicate's free-text error.

    Source: Replicate's error codes, and texts seen in practice. Only faults of the platform count as passing, because
    each new attempt is paid for.
    """
    details = storable(str(error or "").strip())
    if status in ("canceled", "aborted"):
        ended = "Replicate ended the prediction before it was finished. Try again."
        return Failure("provider_canceled", ended, settled=True, details=details)
    for pattern, code, message, passing in REASONS:
        if re.search(pattern, details, re.IGNORECASE):
            return Failure(code, message, passing, settled=True, details=details)
    return Failure("model_error", _sentence(_in_a_line(details)), settled=True, details=details)


REASONS: tuple[tuple[str, str, str, bool], ...] = (
    (
        r"\bE1001\b|out of memory",
        "out_of_memory",
        "The model ran out of memory on this input. Try a smaller size, or fewer at once.",
        False,
    ),
    (r"\(code: PA\)", "provider_interrupted", "Replicate interrupted the prediction.", True),
    (r"Director: unexpected error", "provider_interrupted", "Replicate had an internal error.", True),
    (r"\bE6716\b|\bE1000\b", "provider_interrupted", "Replicate could not start the prediction.", True),
    (r"\bE00[34]\b", "provider_busy", "The model is temporarily unavailable.", True),
    (
        r"\bE005\b|NSFW|flagged as sensitive",
        "moderated",
        "The model's safety filter rejected this prompt or its result. Try a different prompt.",
        False,
    ),
    (
        r"\bE00[12]\b",
        "provider_account",
        "The model's maker refused the Replicate account. Try another model.",
        False,
    ),
    (
        r"Prediction timed out",
        "prediction_timeout",
        "The prediction took longer than Replicate allows. Try something smaller or shorter.",
        False,
    ),
    (
        r"Input validation error",
        "invalid_input",
        "The model rejected its input. Check the settings and files.",
        False,
    ),
)
"""Each entry: a pattern in Replicate's text, our code, the message for the user, and whether a retry may help."""

TECHNICAL = re.compile(
    r"""(?ix)
    \b(cuda|cudnn\w*|cublas\w*|nccl|rocm|gpu|torch\w*|tensors?|dtype|scalar\ type|ndarray|NoneType|kernel|backend)\b
    | \b(traceback|errno|asserts?|assertion|exit\ (status|code)|segmentation\ fault|core\ dumped|memory\ access)\b
    | \b(size|shape)\ mismatch | \bnon-singleton | \bcannot\ be\ multiplied | \bindex\b.*\bout\ of\ (range|bounds)
    | \b(keyword|positional)\ argument | \bno\ attribute | \bnot\ (subscriptable|iterable|callable|defined)\b
    | \breferenced\ before | \bto\ unpack | \bcould\ not\ convert | \binvalid\ literal | \bunsupported\ operand
    | \bdivision\ by\ zero | \brecursion\ depth | \bmax\ retries | '\w+'\ object | \bobject\ at\b
    | (?-i:\b[A-Z]\w+(Error|Exception|Warning)\b)
    | \w\(\) | \w::\w | __\w+ | \b0x[0-9a-f]{4,}
    | \w:// | (^|[\s'"(=:\[])~?/[\w.-]+/ | \w\.(py|so|cc|cpp|cu|safetensors|ckpt)\b
    | ^[\[{<]
    """
)
"""Signs of text written for programmers: names of libraries and types, addresses, paths, calls, Python terms."""
MAX_SENTENCE_LENGTH = 300  # characters; a longer text does not count as a sentence


def _sentence(text: str) -> str:
    """Return the message for the user about a model's error. Quotes the model's own text if it is a plain sentence."""
    if not text:
        return "The model failed without giving a reason. Try again, or change the prompt or settings."
    if TECHNICAL.search(text) or len(text.split()) < 3 or len(text) > MAX_SENTENCE_LENGTH:
        return "The model failed on this input. Try again, or change the prompt or settings."
    return f"The model failed: {text}" + ("" if text.endswith((".", "!", "?")) else ".")


def storable(text: str, longest: int = 2000) -> str:
    """Return the first `longest` characters, without what a database refuses: NUL and lone surrogates."""
    return text[:longest].encode(errors="replace").decode().replace("\0", "")


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
