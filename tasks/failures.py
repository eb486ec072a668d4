"""What can go wrong with an attempt: a code, words for the user, and whether trying again may help."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Failure(Exception):
    """An attempt ended without a result.

    code: stable, for programs. message: a sentence for the user, with no secret in it. passing: whether it may pass, so
    that trying again is worth it. retry_after: seconds the other side asked us to wait, if it did. settled: whether no
    prediction can come of the attempt any more, so that trying again may create, and pay for, another. free: whether it
    costs none of the job's MAX_ATTEMPTS, because nothing was tried. details: what the model or Replicate said of it in
    its own words, which may be technical.
    """

    code: str
    message: str
    passing: bool = False
    retry_after: float | None = None
    settled: bool = False
    free: bool = False
    details: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({_in_a_line(self.details)[:300]})" if self.details else "")


class DatabaseAway(Exception):
    """The database does not answer, or cannot write: what was asked for was not done, or is not known to be."""


@contextmanager
def away_when(*errors: type[BaseException]) -> Iterator[None]:
    """These errors of a database's driver as DatabaseAway."""
    try:
        yield
    except errors as error:
        raise DatabaseAway(f"The database does not answer: {type(error).__name__}: {error}") from error


def reason(status: str, error: object) -> Failure:
    """What a prediction that ended without a result means, from the free text that Replicate gives as its reason.

    Source: Replicate's error codes, and texts seen in practice. Only the platform's own faults may pass, as each new
    attempt is paid for.
    """
    details = _storable(str(error or "").strip())
    if status in ("canceled", "aborted"):
        ended = "Replicate ended the prediction before it was done. Try again."
        return Failure("provider_canceled", ended, settled=True, details=details)
    for pattern, code, message, passing in REASONS:
        if re.search(pattern, details, re.IGNORECASE):
            return Failure(code, message, passing, settled=True, details=details)
    return Failure("model_error", _told(_in_a_line(details)), settled=True, details=details)


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
        "The model's safety filter refused this prompt or its result. Try other words.",
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
        "The model refused its input. Look over the settings and the files that you gave.",
        False,
    ),
)
"""Pattern in Replicate's text, our code, words for the user, and whether another attempt may do better."""

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
"""What people do not say, but programs do: names of libraries and types, addresses, paths, calls, words of Python."""
SENTENCE = 300  # characters; what is longer is no sentence


def _told(text: str) -> str:
    """What people are told of a model's own words: these themselves, where they are a plain sentence."""
    if not text:
        return "The model failed without saying why. Try other words or settings, or try again."
    if TECHNICAL.search(text) or len(text.split()) < 3 or len(text) > SENTENCE:
        return "The model failed on this input. Try other words or settings, or try again."
    return f"The model failed: {text}" + ("" if text.endswith((".", "!", "?")) else ".")


def _storable(text: str, longest: int = 2000) -> str:
    """Its beginning, without what a database does not take: NUL, and halves of surrogate pairs."""
    return text[:longest].encode(errors="replace").decode().replace("\0", "")


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
