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
    costs none of the job's MAX_ATTEMPTS, because nothing was tried.
    """

    code: str
    message: str
    passing: bool = False
    retry_after: float | None = None
    settled: bool = False
    free: bool = False

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


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
    text = str(error or "").strip()
    if status in ("canceled", "aborted"):
        return Failure("provider_canceled", "Replicate ended the prediction before it was done.", settled=True)
    for pattern, code, message, passing in REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            return Failure(code, message, passing, settled=True)
    told = f"The model failed: {_in_short(text)}" if text else "The model failed without saying why."
    return Failure("model_error", told, settled=True)


REASONS: tuple[tuple[str, str, str, bool], ...] = (
    (r"\bE1001\b|out of memory", "out_of_memory", "The model ran out of memory on this input.", False),
    (r"\(code: PA\)", "provider_interrupted", "Replicate interrupted the prediction.", True),
    (r"Director: unexpected error", "provider_interrupted", "Replicate had an internal error.", True),
    (r"\bE6716\b|\bE1000\b", "provider_interrupted", "Replicate could not start the prediction.", True),
    (r"\bE00[34]\b", "provider_busy", "The model is temporarily unavailable.", True),
    (
        r"\bE005\b|NSFW|flagged as sensitive",
        "moderated",
        "The model's safety filter refused this prompt or its result.",
        False,
    ),
    (r"\bE00[12]\b", "provider_account", "The model's maker refused the Replicate account.", False),
    (r"Prediction timed out", "prediction_timeout", "The prediction took longer than Replicate allows.", False),
    (r"Input validation error", "invalid_input", "The model refused its input.", False),
)
"""Pattern in Replicate's text, our code, words for the user, and whether another attempt may do better."""


def _in_short(text: str, longest: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
