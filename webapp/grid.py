"""The prints of a batch as a grid: which axis runs down, which across, and which makes a section of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from tasks.library import Card
from webapp.pages import short_model
from webapp.views import CardView

NARROW = 6  # columns that a screen has room for


@dataclass(frozen=True, slots=True)
class Row:
    """One row. cells: None where a print was deleted."""

    header: str
    cells: list[CardView | None]


@dataclass(frozen=True, slots=True)
class Section:
    """What is alike in all axes but the last two. title: their values; empty where there are no more than two."""

    title: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Grid:
    """The sections, and the headers of the columns that each has. Where the prints differ in one way, `line` has them.

    A line is a list of rows with one cell each.
    """

    columns: list[str]
    sections: list[Section]
    line: list[Row]


def laid_out(axes: Sequence[dict[str, Any]], cards: Sequence[Card]) -> Grid:
    """The cards of a batch by its axes. The last axis runs across, unless it is too long for that."""
    by_place = {card.job.batch_place: None if card.deleted else CardView(card) for card in cards}
    labels = [_labels(axis["name"], axis["values"]) for axis in axes]
    if len(labels) < 2:
        names = labels[0] if labels else [""]
        return Grid([], [], [Row(name, [by_place.get(place)]) for place, name in enumerate(names)])
    *outer, down, across = labels
    turned = len(across) > max(NARROW, len(down))
    sections = []
    for number, titles in enumerate(product(*outer)):
        first = number * len(down) * len(across)
        table = [
            [by_place.get(first + row * len(across) + column) for column in range(len(across))]
            for row in range(len(down))
        ]
        if turned:
            table = [list(column) for column in zip(*table, strict=True)]
        headers = across if turned else down
        sections.append(Section(", ".join(titles), [Row(*row) for row in zip(headers, table, strict=True)]))
    return Grid(down if turned else across, sections, [])


def _labels(name: str, values: Sequence[str | int]) -> list[str]:
    if name == "seed":
        return [f"Seed {value}" for value in values]
    if name == "model":
        short = [short_model(str(value)) for value in values]
        return short if len(set(short)) == len(short) else list(map(str, values))
    return [str(value).strip() or "(nothing)" for value in values]
