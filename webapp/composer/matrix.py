"""The matrix in the composer: what its fields request, and how many prints they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from tasks.admission.admission import length_faults
from tasks.admission.batches import in_figures, largest
from tasks.admission.matrix import Parts, Unreadable, read, read_seeds
from tasks.errors import Fault, Rejected, reject

Form = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form requests. models: the chosen one, then the further ones. seeds: None when the field is empty."""

    prompt: str
    parts: Parts
    models: list[str]
    seeds: int | list[int] | None

    @property
    def several(self) -> bool:
        """Whether the form describes a matrix: with alternatives, seeds or further models."""
        return len(self.models) > 1 or self.seeds is not None or any(len(part) > 1 for part in self.parts)

    @property
    def plain(self) -> str:
        """The prompt of a form without a matrix, with escaped characters as text."""
        return "".join(text for text, *_ in self.parts)

    @property
    def factors(self) -> list[tuple[int, str]]:
        """The counts of what varies: (4, "prompts"), (3, "seeds"), (2, "models")."""
        seeds = len(self.seeds) if isinstance(self.seeds, list) else self.seeds
        counts = [(prod(map(len, self.parts)), "prompts"), (seeds or 1, "seeds"), (len(self.models), "models")]
        return [(count, what) for count, what in counts if count > 1]


@dataclass(frozen=True, slots=True)
class MatrixFields:
    """The fields as the composer shows them. counted: how many prints they make, or what is wrong; else empty."""

    seeds: str
    models: list[str]
    counted: str
    fits: bool = True


def asked_for(form: Form, model: str) -> Asked:
    """Return what a form requests with `model` chosen. Raises Rejected when its prompt or seeds cannot be read."""
    prompt = last(form, "prompt").replace("\r\n", "\n")  # HTML sends every line break as CRLF
    seeds = last(form, "seeds")
    reject(length_faults(prompt))
    try:
        parts = read(prompt)
    except Unreadable as unreadable:
        raise Rejected("invalid_prompt", [Fault("/prompt", str(unreadable))]) from unreadable
    try:
        wanted = read_seeds(seeds) if seeds.strip() else None
    except Unreadable as unreadable:
        raise Rejected("invalid_seeds", [Fault("/seeds", str(unreadable))]) from unreadable
    return Asked(prompt, parts, list(dict.fromkeys([model, *form.get("models", [])])), wanted)


def matrix_fields(form: Form, model: str) -> MatrixFields:
    """Return the matrix fields of the composer, filled in and counted."""
    counted, fits = count(form, model)
    return MatrixFields(last(form, "seeds"), list(form.get("models", [])), counted, fits)


def count(form: Form, model: str) -> tuple[str, bool]:
    """Return how many prints a form makes, as a formula, or what is wrong; and whether it can be sent.

    The text is "" when the form describes no matrix.
    """
    try:
        asked = asked_for(form, model)
    except Rejected as rejected:
        return rejected.faults[0].message, False
    if not asked.several:
        return "", True
    prints = prod(number for number, _ in asked.factors)
    factors = (
        " \N{MULTIPLICATION SIGN} ".join(f"{in_figures(number)} {what}" for number, what in asked.factors) or "1 prompt"
    )
    counted = f"{factors} = {in_figures(prints)} {'print' if prints == 1 else 'prints'}"
    most = largest()
    return (counted, True) if prints <= most else (f"{counted}; the maximum is {most}", False)


def in_the_form(rejected: Rejected) -> Rejected:
    """Return `rejected` with its faults at the fields of the form: the first model has its own field."""
    places = {"/models/0": "/model"}
    faults = [Fault(places.get(fault.pointer, fault.pointer), fault.message) for fault in rejected.faults]
    return Rejected(rejected.code, faults)


def last(form: Form, name: str) -> str:
    """Return a field's last value, because a switch sends its hidden "false" before its "true"."""
    return (form.get(name) or [""])[-1]
