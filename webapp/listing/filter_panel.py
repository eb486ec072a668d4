"""The filter panel: the values of the fields that a search can be narrowed by, each with its number and a link."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import quote
from zoneinfo import ZoneInfo

from tasks.library import facets, months
from tasks.library.cards import MAX_COUNTED
from tasks.library.facets import Count
from tasks.library.query import YES, Search
from webapp.listing.query import Sheet

MAX_VALUES, MAX_MORE = 8, 100  # of a field that are in sight; that are listed behind "more"
UTC = ZoneInfo("UTC")  # in which the search's dates are

GROUPS = {
    "Kind": ("kind",), "Model": ("model",), "Person": ("by",), "Tag": ("tag",), "Rating": ("fav", "rating"),
    "Date": ("on",), "State": ("status",),
}  # fmt: skip
"""The fields in each group of the panel, in its order."""
WORDS = {
    "fav": {"yes": "Favorites"},
    "rating": {"5": "5 stars"}
    | {f">={stars}": f"{stars} star{'s' if stars > 1 else ''} or more" for stars in range(4, 0, -1)},
    "kind": {"image": "Pictures", "video": "Videos", "audio": "Audio", "text": "Texts", "file": "Other files"},
    "status": {name: name.capitalize() for name in ("completed", "queued", "running", "failed", "canceled")},
}
"""The values of fields that always have the same, in their order, in the words of the gallery."""
ONE_AT_A_TIME = ("fav", "rating")  # fields whose values include one another


@dataclass(frozen=True, slots=True)
class Value:
    """A value that a click adds to the search, or takes out of it (`on`). number: of prints, in words; may be empty."""

    id: str
    words: str
    number: str
    address: str
    on: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A group of values: those in sight, and more of them."""

    title: str
    values: Sequence[Value]
    more: Sequence[Value]


async def filter_panel(sheet: Sheet) -> list[Facet]:
    """Return the groups of the panel for a sheet that have values."""
    found, by_date = await asyncio.gather(facets.found(sheet.search), dates(sheet.search.with_values("on", ())))
    counted, groups = {**found, "on": by_date}, []
    for title, fields in GROUPS.items():
        values = [value for field in fields for value in _values(sheet, field, counted.get(field, {}))]
        if values:
            groups.append(_facet(title, values))
    return groups


async def dates(search: Search) -> Mapping[str, Count]:
    """Return what a search finds by years and by months (2026, 2026-09), newest first: all years, then all months."""
    found = await months.found(search, UTC)
    by_month = {
        f"{month.first:%Y-%m}": Count(0, more=True) if month.jobs is None else Count(month.jobs)
        for month in found.months
    }  # fmt: skip
    by_year: dict[str, Count] = {}
    for month, count in by_month.items():
        by_year[month[:4]] = by_year.get(month[:4], Count(0)) + count
    return by_year | by_month


def number_in_words(count: Count) -> str:
    """Return a number of prints as the panel shows it: 812, or 10,000+ where there may be more."""
    if count.more and not count.jobs:
        return ""  # it is only known to be in the library
    return f"{min(count.jobs, MAX_COUNTED):,}+" if count.more else f"{count.jobs:,}"


def written(model: str, models: Iterable[str]) -> str:
    """Return how a search names a model: without its owner, unless that finds others of these models as well."""
    name = model.partition("/")[2]
    return model if any(name in other for other in models if other != model) else name or model


def _ordered(field: str, counts: Mapping[str, Count]) -> Mapping[str, Count]:
    if field in WORDS:
        return {value: counts[value] for value in WORDS[field] if value in counts}
    if field == "on":
        return counts
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1].jobs, pair[0])))


def _facet(title: str, values: Sequence[Value]) -> Facet:
    """Return a group with what is in the search, and the first of the rest, in sight."""
    others = [value for value in values if not value.on]
    behind = others[max(0, MAX_VALUES - (len(values) - len(others))) :]
    hidden = {value.id for value in behind}
    return Facet(title, [value for value in values if value.id not in hidden], behind[:MAX_MORE])


def _values(sheet: Sheet, field: str, counts: Mapping[str, Count]) -> list[Value]:
    found = [_value(sheet, field, value, count, counts) for value, count in _ordered(field, counts).items()]
    return [value for value in found if value.on or value.number != "0"]


def _value(sheet: Sheet, field: str, value: str, count: Count, all_values: Iterable[str]) -> Value:
    before = sheet.search.values(field)
    after = tuple(typed for typed in before if not _means(field, typed, value))
    on = after != before
    if not on:
        added = written(value, all_values) if field == "model" else value
        after = (added,) if field in ONE_AT_A_TIME else (*before, added)
    address = replace(sheet, search=sheet.search.with_values(field, after)).address()
    return Value(f"filter-{field}-{quote(value, safe='')}", _words(field, value), number_in_words(count), address, on)


def _words(field: str, value: str) -> str:
    if field == "on" and "-" in value:
        return f"{date.fromisoformat(f'{value}-01'):%b %Y}"
    if field == "model":
        return value.partition("/")[2] or value
    return WORDS[field][value] if field in WORDS else value


def _means(field: str, typed: str, value: str) -> bool:
    """Return whether a value, as it is typed in a search, means this value."""
    if field == "fav":
        return typed.lower() in YES
    return typed.lower() in value.lower() if field == "model" else typed.lower() == value.lower()
