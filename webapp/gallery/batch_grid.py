"""Arranges the prints of a batch as a grid: which axis runs down, which runs across, and which make sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from tasks.library.cards import Card
from webapp.render.templates import short_model
from webapp.render.views import CardView

MAX_COLUMNS = 6  # columns that fit on a screen


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a grid. cells: None for a deleted print."""

    header: str
    cells: list[CardView | None]


@dataclass(frozen=True, slots=True)
class Section:
    """The prints with the same values on all axes but the last two. title: those values; empty for at most two axes."""

    title: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Grid:
    """A batch as sections, which share the column headers `columns`. With one axis or none, `line` has the prints.

    A line is a list of rows with one cell each.
    """

    columns: list[str]
    sections: list[Section]
    line: list[Row]


def laid_out(axes: Sequence[dict[str, Any]], cards: Sequence[Card]) -> Grid:
    """Arrange the cards of a batch by its axes. The last axis runs across, unless it is too long for that."""
    by_place = {card.job.batch_place: None if card.deleted else CardView(card) for card in cards}
    labels = [_labels(axis["name"], axis["values"]) for axis in axes]
    if len(labels) < 2:
        names = labels[0] if labels else [""]
        return Grid([], [], [Row(name, [by_place.get(place)]) for place, name in enumerate(names)])
    *outer, down, across = labels
    turned = len(across) > max(MAX_COLUMNS, len(down))
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
    return [str(value).strip() or "(empty)" for value in values]
