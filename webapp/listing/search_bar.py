"""The search bar: the search box and the controls around it, as the gallery's template receives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tasks.accounts.actors import Actor, Permission
from tasks.curation import saved_searches
from tasks.db.tables import SavedSearch
from tasks.errors import Fault
from tasks.library import cards
from tasks.library.paging import Sort
from tasks.library.query import FIELDS, Field, Search, Term, parse
from webapp.listing.query import Sheet

QUICK = {
    "Favorites": "fav:yes",
    "Pictures": "kind:image",
    "Videos": "kind:video",
    "Audio": "kind:audio",
    "Failed": "status:failed",
}
"""Searches that take one click. Each is one term."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A search term that a click adds (not `on`) or removes (`on`)."""

    words: str
    address: str
    on: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A link. id: that of the saved search that it leads to, if it leads to one."""

    words: str
    address: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class SearchBar:
    """The data for the template. text: as typed. found: the number of prints, in words; empty without a search."""

    text: str
    sheet: Sheet
    faults: Sequence[Fault]
    quick: list[Chip]
    terms: list[Chip]
    saved: list[Link]
    found: str

    @property
    def clear(self) -> str:
        """The address of the same sheet without a search."""
        return replace(self.sheet, search=Search()).address()

    @property
    def sorts(self) -> list[Sort]:
        """The ways to sort prints."""
        return list(Sort)

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields that can be searched, for the help."""
        return FIELDS


async def search_bar(
    query: Mapping[str, Any], actor: Actor, sheet: Sheet | None, number: int, faults: Sequence[Fault] = ()
) -> SearchBar:
    """Return the search bar of a sheet, for an actor.

    sheet: None when the search is unclear; the faults then say what is wrong. number: of the prints that it finds.
    """
    shown = sheet or Sheet()
    makes = actor.person is not None and actor.key is None and actor.may(Permission.SUBMIT)
    own = {"Mine": f"by:{actor.name}"} if makes else {}
    quick = {words: parse(text).terms[0] for words, text in (own | QUICK).items()}
    return SearchBar(
        text=query.get("q", "") if sheet is None else str(shown.search),
        sheet=shown,
        faults=faults,
        quick=[_chip(shown, words, term) for words, term in quick.items()],
        terms=[_chip(shown, str(term), term) for term in shown.search.terms if term not in quick.values()],
        saved=[_kept(row) for row in await saved_searches.saved()],
        found=in_words(number) if shown.search else "",
    )


async def found(search: Search) -> str:
    """Return, in words, how many prints a search finds."""
    return in_words(await cards.count(search))


def in_words(number: int) -> str:
    """Return a number of prints in words."""
    if number > cards.MAX_COUNTED:
        return f"More than {cards.MAX_COUNTED:,} prints"
    return f"{number:,} print{'s' if number != 1 else ''}" if number else "No prints"


def figures(number: int) -> str:
    """Return a number of prints in figures: "318", or "10,000+" for any that are not counted exactly."""
    return f"{number:,}" if number <= cards.MAX_COUNTED else f"{cards.MAX_COUNTED:,}+"


def _chip(sheet: Sheet, words: str, term: Term) -> Chip:
    on = term in sheet.search.terms
    search = sheet.search.without(term) if on else Search((*sheet.search.terms, term))
    return Chip(words, replace(sheet, search=search).address(), on)


def _kept(row: SavedSearch) -> Link:
    sort = {} if row.sort == Sort.NEWEST else {"sort": row.sort}
    return Link(row.name, f"/?{urlencode({'q': row.query, **sort})}", str(row.id))
