"""The search bar: the search box and the controls around it, as the gallery's template receives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tasks.accounts.actors import Permission
from tasks.curation import saved_searches
from tasks.db.tables import SavedSearch
from tasks.errors import Fault
from tasks.library import cards
from tasks.library.paging import Sort
from tasks.library.query import FIELDS, Field, Search, Term
from webapp.listing.query import Sheet
from webapp.render.numbers import prints
from webapp.render.viewer import viewer

FEW = 5  # prints from which on there is something to filter and to select


@dataclass(frozen=True, slots=True)
class Link:
    """A link. id: that of the saved search that it leads to; "" for the search without one of its terms."""

    words: str
    address: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class SearchBar:
    """The data for the template.

    text: as typed. terms: lead to the search without each of them. mine: leads to the viewer's own prints among these;
    None where nobody has any, or they are all. found: the number of prints, in words; empty without a search. few: FEW
    while the whole library has fewer prints, else 0.
    """

    text: str
    sheet: Sheet
    faults: Sequence[Fault]
    terms: list[Link]
    mine: Link | None
    saved: list[Link]
    found: str
    few: int

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
    query: Mapping[str, Any], sheet: Sheet | None, number: int, faults: Sequence[Fault] = ()
) -> SearchBar:
    """Return the search bar of a sheet.

    sheet: None when the search is unclear; the faults then say what is wrong. number: of the prints that it finds.
    """
    shown = sheet or Sheet()
    return SearchBar(
        text=query.get("q", "") if sheet is None else str(shown.search),
        sheet=shown,
        faults=faults,
        terms=[
            Link(str(term), replace(shown, search=shown.search.without(term)).address()) for term in shown.search.terms
        ],
        mine=_mine(shown),
        saved=[_kept(row) for row in await saved_searches.saved()],
        found=in_words(number) if shown.search else "",
        few=FEW if not shown.search and number < FEW and await cards.count(shown.search, FEW) < FEW else 0,
    )


async def found(search: Search) -> str:
    """Return, in words, how many prints a search finds."""
    return in_words(await cards.count(search))


def in_words(number: int) -> str:
    """Return a number of prints in words."""
    if number > cards.MAX_COUNTED:
        return f"More than {cards.MAX_COUNTED:,} prints"
    return prints(number) if number else "No prints"


def _mine(sheet: Sheet) -> Link | None:
    actor = viewer.get()
    if actor.person is None or actor.key is not None or not actor.may(Permission.SUBMIT):
        return None
    term = Term("by", (actor.name,))
    if term in sheet.search.terms:
        return None
    return Link("Mine", replace(sheet, search=Search((*sheet.search.terms, term))).address())


def _kept(row: SavedSearch) -> Link:
    sort = {} if row.sort == Sort.NEWEST else {"sort": row.sort}
    return Link(row.name, f"/?{urlencode({'q': row.query, **sort})}", str(row.id))
