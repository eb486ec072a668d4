"""Parses and writes the language of the search box: words, "phrases", field:values, and a minus before any of them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from tasks.db.tables import Status
from tasks.library import moments
from tasks.models.strict_json import is_text

KINDS = ("image", "video", "audio", "text", "file")
YES, NO = ("yes", "true", "1"), ("no", "false", "0")
MAX_LENGTH = 500  # characters
MAX_CONDITIONS = 50  # of all terms together; each value of a field counts as one

_PIECE = re.compile(
    r'(?P<minus>-?)(?:(?P<field>meta\.[A-Za-z0-9_.-]{1,64}|[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]\S*)?)'
)
META = "meta."  # begins a field that is a name in the metadata
MAX_COST = 2**63 - 1  # micro-dollars that a row can hold
_COST = re.compile(r"(>=|<=|>|<|)\$?([0-9]{1,9}(?:\.[0-9]{1,6})?)")
_RATING = re.compile(r"(>=|<=|>|<|)([0-5])")
_DATE = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")


class Unclear(Exception):
    """A search that cannot be understood. faults: its errors, as sentences for the user who wrote it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a search.

    field: "" for words. values: the alternatives; one match is enough. negated: whether matches are left out. phrase:
    whether exactly these words must occur in this order; words that are no phrase match what begins with them.
    """

    field: str
    values: tuple[str, ...]
    negated: bool = False
    phrase: bool = False

    def __str__(self) -> str:
        value = ",".join(self.values)
        quoted = f'"{value}"' if self.phrase or re.search(r"\s", value) else value
        return f"{'-' if self.negated else ''}{self.field}{':' if self.field else ''}{quoted}"


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed search. Without terms it finds everything that is not in the trash.

    owner: the only person whose jobs it finds, where the asker may not see others; None for everyone's.
    """

    terms: tuple[Term, ...] = ()
    owner: UUID | None = None

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def __bool__(self) -> bool:
        return bool(self.terms) or self.owner is not None

    @property
    def trash(self) -> bool:
        """Whether it searches the trash instead of everything outside the trash."""
        return any(term.field == "in" for term in self.terms)

    def seen_by(self, name: str, only: UUID | None) -> "Search":
        """Return the search for an asker. name: what `by:me` means. only: the only person whose jobs the asker sees."""
        terms = tuple(
            replace(term, values=tuple(name if value.lower() == "me" else value for value in term.values))
            if term.field == "by" and name
            else term
            for term in self.terms
        )
        return replace(self, terms=terms, owner=only)

    def but_waiting(self) -> "Search":
        """Return the search without the jobs that wait."""
        return replace(self, terms=(*self.terms, Term("status", (Status.QUEUED,), negated=True)))

    def without(self, term: Term) -> "Search":
        """Return the search without this term."""
        return replace(self, terms=tuple(other for other in self.terms if other != term))

    def values(self, field: str) -> tuple[str, ...]:
        """Return the values of a field of which a job must have one, over all its terms."""
        return tuple(value for term in self.terms if term.field == field and not term.negated for value in term.values)

    def with_values(self, field: str, values: tuple[str, ...]) -> "Search":
        """Return the search with these values of a field, in one term, in place of those that a job must have.

        Without values it has no such term. What the search leaves out by this field stays left out.
        """
        own = [term for term in self.terms if term.field == field and not term.negated]
        new = (Term(field, values),) if values else ()
        if not own:
            return replace(self, terms=(*self.terms, *new))
        place = self.terms.index(own[0])
        rest = tuple(term for term in self.terms[place:] if term not in own)
        return replace(self, terms=(*self.terms[:place], *new, *rest))


def parse(text: str) -> Search:
    """Parse what a user typed. Raises Unclear with all errors in it."""
    if len(text) > MAX_LENGTH:
        raise Unclear([f"The search has {len(text):,} characters; the maximum is {MAX_LENGTH:,}."])
    if not is_text(text):
        raise Unclear(["The search contains an invalid character."])
    terms, faults = [], []
    for match in _PIECE.finditer(text):
        try:
            term = _term(match)
        except ValueError as error:
            faults.append(str(error))
        else:
            if term is not None and term not in terms:
                terms.append(term)
    if sum(len(term.values) for term in terms) > MAX_CONDITIONS:
        faults.append(
            f"The search has too many terms; the maximum is {MAX_CONDITIONS}, counting every value of a field."
        )
    if faults:
        raise Unclear(faults)
    return Search(tuple(terms))


def first_moment(date: str) -> datetime:
    """Return when a year (2026), a month (2026-09) or a day (2026-09-14) begins, in UTC. Raises ValueError."""
    match = _DATE.fullmatch(date)
    if match is None:
        raise ValueError
    year, month, day = (int(part or 1) for part in match.groups())
    return moments.within(datetime(year, month, day, tzinfo=UTC))


def moment_after(date: str) -> datetime:
    """Return when the year, the month or the day after this one begins. Raises ValueError."""
    first, parts = first_moment(date), date.count("-")
    if parts == 2:
        return datetime.fromtimestamp(first.timestamp() + 86400, UTC)
    years, months = divmod(first.month, 12) if parts == 1 else (1, 0)
    return first.replace(year=first.year + years, month=months + 1)


def rating_range(value: str) -> range:
    """Return the ratings that "3", ">=3" or "<2" means. Raises ValueError."""
    match = _RATING.fullmatch(value)
    if match is None:
        raise ValueError
    number = int(match[2])
    ranges = {"": (number, number), ">=": (number, 5), "<=": (0, number), ">": (number + 1, 5), "<": (0, number - 1)}
    least, most = ranges[match[1]]
    return range(least, most + 1)


def cost_range(value: str) -> tuple[int, int]:
    """Return the micro-dollars, from least to most, that "0.10", ">0.10" or "<=2" dollars mean. Raises ValueError."""
    match = _COST.fullmatch(value)
    if match is None:
        raise ValueError
    micros = int(Decimal(match[2]) * 10**6)
    ranges = {
        "": (micros, micros), ">=": (micros, MAX_COST), "<=": (0, micros), ">": (micros + 1, MAX_COST),
        "<": (0, micros - 1),
    }  # fmt: skip
    return ranges[match[1]]


def _term(match: re.Match[str]) -> Term | None:
    name, quoted = match["field"] or "", match["quoted"]
    field = name if name.startswith(META) else name.lower()
    value = quoted if quoted is not None else match["bare"] or ""
    negated, phrase = bool(match["minus"]), quoted is not None
    if not match["field"]:
        is_word = any(character.isalnum() for character in value)
        return Term("", (" ".join(value.split()),), negated, phrase) if is_word else None
    if field.startswith(META):
        return _metadata_term(field, value, negated)
    if field not in FIELDS:
        raise ValueError(
            f'There is no field "{field}". The fields are {", ".join(FIELDS)}. To search for the words, use quotes.'
        )
    values = tuple(part.strip() for part in value.split(",") if part.strip())
    if not values:
        raise ValueError(f'"{field}:" needs a value, for example {FIELDS[field].example}.')
    for part in values:
        try:
            known = FIELDS[field].takes(part)
        except (ValueError, OverflowError):
            known = False
        if not known:
            raise ValueError(
                f'"{field}:" must be {FIELDS[field].what}, not "{part}". For example: {FIELDS[field].example}.'
            )
    if field == "is":
        return Term("fav", YES[:1], negated)
    return Term(field, values, negated)


def _metadata_term(field: str, value: str, negated: bool) -> Term:
    """Return a term for a pair of the metadata. Its value may hold commas, and so has no alternatives."""
    if not value:
        raise ValueError(f'"{field}:" needs a value, for example {FIELDS["meta.NAME"].example}.')
    return Term(field, (value,), negated)


@dataclass(frozen=True, slots=True)
class Field:
    """A field that can be searched. takes: returns whether the field accepts a value. what, example: for users."""

    takes: Callable[[str], bool]
    what: str
    example: str


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda value: value.lower() in values


def _is_date(value: str) -> bool:
    return bool(moment_after(value))


def _is_id(value: str) -> bool:
    return bool(UUID(value).version)


def _is_seed(value: str) -> bool:
    return -(2**63) <= int(value) < 2**63


FIELDS: Mapping[str, Field] = {
    "model": Field(lambda value: True, "part of a model name", "model:flux"),
    "status": Field(_one_of(*Status), f"one of {', '.join(Status)}", "status:failed"),
    "kind": Field(_one_of(*KINDS), f"one of {', '.join(KINDS)}", "kind:video"),
    "tag": Field(lambda value: True, "a tag", "tag:cat"),
    "collection": Field(lambda value: True, "a collection name", 'collection:"for the wall"'),
    "fav": Field(_one_of(*YES, *NO), "yes or no", "fav:yes"),
    "is": Field(_one_of("favorite", "favourite"), "favorite", "is:favorite"),
    "rating": Field(lambda value: bool(rating_range(value)) or True, "0 to 5 stars", "rating:>=4"),
    "seed": Field(_is_seed, "a whole number", "seed:7"),
    "before": Field(_is_date, "a year, month or day from 1970 on", "before:2026-09"),
    "after": Field(_is_date, "a year, month or day from 1970 on", "after:2026-09-14"),
    "on": Field(_is_date, "a year, month or day from 1970 on", "on:2026-09"),
    "by": Field(lambda value: True, "the name of a person, or me", "by:anna"),
    "key": Field(lambda value: True, "the name of a key", "key:ci"),
    "cost": Field(lambda value: bool(cost_range(value)), "an amount in dollars", "cost:>0.10"),
    "meta.NAME": Field(lambda value: True, "a value of the metadata", "meta.order:17"),
    "batch": Field(_is_id, "the id of a batch", "batch:019ab0c4-5d1e-7b36-9533-e50ac26d7632"),
    "from": Field(_is_id, "the id of a job", "from:019ab0c4-5d1e-7b36-9533-e50ac26d7632"),
    "in": Field(_one_of("trash"), "trash", "in:trash"),
}
"""The fields that can be searched. Several values are separated by commas, and any of them may match."""
