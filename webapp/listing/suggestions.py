"""Suggestions for the search box: fields, their values with numbers of prints, and saved searches."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.curation import saved_searches
from tasks.library import facets
from tasks.library.cards import MAX_COUNTED
from tasks.library.facets import Count
from tasks.library.query import FIELDS, META, Search, Term
from webapp.listing.filter_panel import WORDS, dates, number_in_words, written

MAX_SUGGESTIONS = 8
MAX_FIELDS, MAX_SAVED = 3, 2  # of them, for the beginning of a word
MIN_LETTERS = 2  # of a word without a field
BY_WORD = ("kind", "status", "tag", "collection", "model", "by")  # fields whose values a word without a field may mean
IN_ORDER = ("on", "before", "after", "rating")  # fields whose values have an order of their own
BEGINNING = re.compile(r"[^\W_]+")

_PIECE = re.compile(r'(?P<minus>-?)(?:(?P<field>[A-Za-z]+):)?"?(?P<value>[^"]*)')


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What somebody may mean. words: as the list shows it. about: what that is. number: of prints, in words.

    text: the text with the suggestion in place of its last piece; for a saved search, the text that takes the place of
    all that is in the box. sort: its order, of a saved search.
    """

    words: str
    about: str = ""
    number: str = ""
    text: str = ""
    sort: str = ""


async def suggestions(text: str) -> list[Suggestion]:
    """Return what the last piece of a text may mean. text: that of the search box, up to the cursor."""
    before, piece = _split(text)
    match = _PIECE.fullmatch(piece)
    if match is None:
        return []
    minus, field, value = match["minus"], (match["field"] or "").lower(), match["value"]
    if field:
        return await _values(field, value, before, minus)
    if len(value) < MIN_LETTERS:
        return []
    found = [
        Suggestion(f"{name}:", FIELDS[name].what, text=f"{before}{minus}{name}:")
        for name in FIELDS
        if name.startswith(value.lower()) and not name.startswith(META)
    ][:MAX_FIELDS]
    saved = [] if minus else await _saved(value)
    for name in BY_WORD:
        found += [
            _suggestion(Term(name, (one,), bool(minus)), count, before) for one, count in await _meant(name, value)
        ]
    return found[: MAX_SUGGESTIONS - len(saved)] + saved


def _split(text: str) -> tuple[str, str]:
    """Return a text without its last piece, and the piece. Only quotes keep spaces in a piece."""
    quoted = text.rfind('"') if text.count('"') % 2 else len(text)
    begin = max((match.end() for match in re.finditer(r"\s", text[:quoted])), default=0)
    return text[:begin], text[begin:]


async def _values(field: str, value: str, before: str, minus: str) -> list[Suggestion]:
    """Return the values of a field that begin, or at least contain, what was typed after the last comma."""
    *others, last = (part.strip() for part in value.split(","))
    counts = {one: count for one, count in (await _counts(field)).items() if one not in others}
    like = [one for one in counts if last.lower() in one.lower() and last.lower() != one.lower()]
    if field not in IN_ORDER:
        like.sort(key=lambda one: (not one.lower().startswith(last.lower()), -counts[one].jobs, one))
    terms = [(Term(field, (*filter(None, others), one), bool(minus)), counts[one]) for one in like[:MAX_SUGGESTIONS]]
    return [_suggestion(term, count, before) for term, count in terms]


async def _meant(field: str, word: str) -> list[tuple[str, Count]]:
    """Return the values of a field in which a word begins as typed, those of the most prints first."""
    counts, typed = await _counts(field), word.lower()
    found = [
        (value, count)
        for value, count in counts.items()
        for names in [f"{value} {WORDS.get(field, {}).get(value, '')}".lower()]
        if value.lower().startswith(typed) or _begins_a_word(names, typed)
    ]
    return sorted(found, key=lambda pair: -pair[1].jobs)[:MAX_SUGGESTIONS]


async def _counts(field: str) -> Mapping[str, Count]:
    """Return the values of a field in the library, as they are typed."""
    library = await facets.of_library(MAX_COUNTED)
    match field:
        case "model":
            return {written(model, library["model"]): count for model, count in library.get("model", {}).items()}
        case "on" | "before" | "after":
            return await dates(Search())
        case "is":
            return {"favorite": library["fav"]["yes"]} if "yes" in library["fav"] else {}
        case "in":
            return {"trash": Count(0, more=True)}
    known = library.get(field, {})
    return {value: known[value] for value in WORDS.get(field, known) if value in known and known[value].jobs}


async def _saved(word: str) -> list[Suggestion]:
    """Return the saved searches in whose names a word begins as typed."""
    return [
        Suggestion(row.name, "Saved search", text=row.query, sort=row.sort)
        for row in await saved_searches.saved()
        if _begins_a_word(row.name.lower(), word.lower())
    ][:MAX_SAVED]


def _begins_a_word(text: str, typed: str) -> bool:
    return any(word.startswith(typed) for word in BEGINNING.findall(text))


def _suggestion(term: Term, count: Count, before: str) -> Suggestion:
    return Suggestion(str(term), number=number_in_words(count), text=f"{before}{term} ")
