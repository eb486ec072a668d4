"""The differences between compared jobs: in the words of their prompts, and in their settings."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tasks.library.cards import Card

WORD = re.compile(r"\w+|[^\w\s]|\s+")

MAX_WORDS = 2000  # words of each of two texts that are compared word by word

Piece = tuple[str, bool]
"""A piece of text, and whether it is marked."""


@dataclass(frozen=True, slots=True)
class Row:
    """One setting of the compared jobs. values: one for each job, in words; "" when it is not set."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the jobs have different values."""
        return len(set(self.values)) > 1


def marked(text: str, others: Iterable[str]) -> list[Piece]:
    """Return a text in pieces, and mark the words that at least one other text does not have in this order."""
    words = WORD.findall(text)
    told_apart = [at for at, word in enumerate(words) if not word.isspace()]
    ours = [words[at] for at in told_apart]
    odd: set[int] = set()
    for other in others:
        kept = _common([word for word in WORD.findall(other) if not word.isspace()], ours)
        odd |= {at for place, at in enumerate(told_apart) if place not in kept}
    odd |= {at for at, word in enumerate(words) if word.isspace() and at - 1 in odd and at + 1 in odd}
    runs = groupby(enumerate(words), key=lambda numbered: numbered[0] in odd)
    return [("".join(word for _, word in run), is_odd) for is_odd, run in runs]


def _common(theirs: Sequence[str], ours: Sequence[str]) -> set[int]:
    """Return the places of our words that are also theirs, in the same order: as many as possible.

    Between the common beginning and the common end, at most MAX_WORDS words of each text are compared. When either
    text has more, all words between them count as different.
    """
    least = min(len(theirs), len(ours))
    first = next((place for place in range(least) if theirs[place] != ours[place]), least)
    last = next((place for place in range(least - first) if theirs[-1 - place] != ours[-1 - place]), least - first)
    ends = {*range(first), *range(len(ours) - last, len(ours))}
    theirs, ours = theirs[first : len(theirs) - last], ours[first : len(ours) - last]
    if len(theirs) > MAX_WORDS or len(ours) > MAX_WORDS:
        return ends
    return ends | {first + place for place in _longest_common_subsequence(theirs, ours)}


def _longest_common_subsequence(theirs: Sequence[str], ours: Sequence[str]) -> Iterator[int]:
    """Yield the places in `ours` of a longest common subsequence, from the last to the first.

    The table of lengths is built row by row. Each row is one integer, in which a bit is 0 where the length grows
    (H. Hyyroe, "Bit-parallel LCS-length computation revisited", 2004). The time does not depend on the words.
    """
    where: dict[str, int] = {}
    for place, word in enumerate(ours):
        where[word] = where.get(word, 0) | 1 << place
    all_ones = (1 << len(ours)) - 1
    row, rows = all_ones, [all_ones]
    for word in theirs:
        match = row & where.get(word, 0)
        row = (row + match | row - match) & all_ones
        rows.append(row)
    at, place = len(theirs), len(ours)
    while at and place:
        if rows[at] >> place - 1 & 1:
            place -= 1
        elif not rows[at - 1] >> place - 1 & 1:
            at -= 1
        else:
            at, place = at - 1, place - 1
            yield place


def rows(cards: Sequence[Card]) -> list[Row]:
    """Return the settings and results of the jobs, in the order in which they first appear in a job."""
    facts = [_facts(card) for card in cards]
    names = dict.fromkeys(name for fact in facts for name in fact)
    return [Row(name, tuple(fact.get(name, "") for fact in facts)) for name in names]


def _facts(card: Card) -> dict[str, str]:
    job, parameters = card.job, card.parameters
    facts = {"model": job.model} | {name.replace("_", " "): _words(value) for name, value in parameters.items()}
    if job.seed is not None:
        facts["seed"] = str(job.seed)
    if card.outputs and card.outputs[0].width:
        facts["result size"] = f"{card.outputs[0].width} \N{MULTIPLICATION SIGN} {card.outputs[0].height} pixels"
    return facts


def _words(value: Any) -> str:
    return ("off", "on")[value] if isinstance(value, bool) else str(value)
