"""What differs between jobs that are compared: the words of their prompts, and their settings."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from tasks.library import Card

WORD = re.compile(r"\w+|[^\w\s]|\s+")

Piece = tuple[str, bool]
"""A stretch of text, and whether it is marked."""


@dataclass(frozen=True, slots=True)
class Row:
    """One setting of the jobs that are compared. values: one for each job, in words; "" where it is not set."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the jobs do not all have the same."""
        return len(set(self.values)) > 1


def marked(text: str, others: Iterable[str]) -> list[Piece]:
    """A text in pieces; marked are the words that at least one of the other texts does not have in this order."""
    words = WORD.findall(text)
    told_apart = [at for at, word in enumerate(words) if not word.isspace()]
    odd: set[int] = set()
    for other in others:
        theirs = [word for word in WORD.findall(other) if not word.isspace()]
        matcher = SequenceMatcher(None, [words[at] for at in told_apart], theirs)
        kept = {place for block in matcher.get_matching_blocks() for place in range(block.a, block.a + block.size)}
        odd |= {at for place, at in enumerate(told_apart) if place not in kept}
    between = {at for at, word in enumerate(words) if word.isspace() and {at - 1, at + 1} <= odd}
    runs = groupby(enumerate(words), key=lambda numbered: numbered[0] in odd | between)
    return [("".join(word for _, word in run), is_odd) for is_odd, run in runs]


def rows(cards: Sequence[Card]) -> list[Row]:
    """The settings of these jobs, and what came of them, in the order in which the first job to have one names it."""
    facts = [_facts(card) for card in cards]
    names = dict.fromkeys(name for fact in facts for name in fact)
    return [Row(name, tuple(fact.get(name, "") for fact in facts)) for name in names]


def _facts(card: Card) -> dict[str, str]:
    job, parameters = card.job, card.parameters
    facts = {"model": job.model} | {name.replace("_", " "): _words(value) for name, value in parameters.items()}
    if job.seed is not None:
        facts["seed"] = str(job.seed)
    if card.outputs and card.outputs[0].width:
        facts["size of the result"] = f"{card.outputs[0].width} by {card.outputs[0].height} pixels"
    return facts


def _words(value: Any) -> str:
    return ("off", "on")[value] if isinstance(value, bool) else str(value)
