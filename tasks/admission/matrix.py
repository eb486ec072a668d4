r"""Read, count and expand a prompt matrix: `{red|blue} fox in {snow|sand}`, for several seeds and models.

Braces with a | in them are alternatives. All other braces are plain text, since prompts hold JSON and the like. \{, \|
and \} are plain text, too.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise, product
from math import prod

MAX_PRINTS = 256
"""The maximum number of prints that one matrix may make."""

Parts = tuple[tuple[str, ...], ...]
"""A prompt in pieces. Each piece holds its possible texts: one text, or several alternatives."""

_TOKEN = re.compile(r"\\([{|}])|([{|}])|([^\\{|}]+|\\)")
_COUNT = re.compile(r"\s*(\d{1,9})\s*(seeds?)?\s*", re.IGNORECASE)


class Unreadable(Exception):
    """A matrix that cannot be read. The message is a sentence for the user who wrote the matrix."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension in which the prints of a matrix differ. name: prompt, model or seed."""

    name: str
    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One print of a matrix. seed: None when the matrix names no seeds."""

    prompt: str
    model: str
    seed: int | None = None


def read(prompt: str) -> Parts:
    """Return a prompt in pieces, without duplicate alternatives. Raises Unreadable when the prompt cannot be read."""
    pieces: list[tuple[str, ...]] = []
    opened: list[_Braces] = []
    for escaped, sign, text in _TOKEN.findall(prompt):
        if sign == "}" and opened:
            closed = opened.pop()
            closed.close(pieces)
            if opened:
                opened[-1].nested = True
            continue
        if sign == "{":
            opened.append(_Braces(len(pieces)))
        elif sign == "|" and opened:
            opened[-1].bars.append(len(pieces))
        pieces.append((escaped or sign or text,))
    if any(braces.bars for braces in opened):
        raise Unreadable("A { with alternatives has no closing }. For a plain {, write \\{.")
    return _joined(pieces)


def quoted(text: str) -> str:
    """Return the prompt that, read as a matrix, is exactly this text."""
    try:
        if read(text) == (((text,),) if text else ()):
            return text
    except Unreadable:
        pass
    return re.sub(r"([{|}])", r"\\\1", text)


def read_seeds(text: str) -> int | list[int]:
    """Return the seeds that a user typed: their number ("3", "3 seeds"), or a list of them ("1, 2, 3", "7,").

    Raises Unreadable when the text is neither.
    """
    if count := _COUNT.fullmatch(text):
        return int(count[1])
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise Unreadable("Seeds must be a list such as 1, 2, 3, or a number of random seeds such as 3.") from None


def size(parts: Parts, models: Sequence[str], seeds: Sequence[int] | int | None) -> int:
    """Return how many prints a matrix makes, without making any."""
    count = len(seeds) if isinstance(seeds, Sequence) else seeds
    return prod(map(len, parts)) * len(models) * (count or 1)


def expand(parts: Parts, models: Sequence[str], seeds: Sequence[int] = ()) -> tuple[list[Axis], list[Cell]]:
    """Return the axes, the slowest first, and the cells in order: prompts as written, then models, then seeds.

    A dimension with only one value is not an axis. Call this only when `size` allows it.
    """
    directions: list[tuple[str, tuple[str | int, ...]]] = [("prompt", part) for part in parts]
    directions += [("model", tuple(models)), ("seed", tuple(seeds))]
    axes = [Axis(name, values) for name, values in directions if len(values) > 1]
    cells = [
        Cell("".join(texts), model, seed)
        for texts, model, seed in product(product(*parts), models, tuple(seeds) or (None,))
    ]
    return axes, cells


@dataclass(slots=True)
class _Braces:
    """Open braces: their position and that of their bars among the pieces, and whether they hold other braces."""

    start: int
    bars: list[int] = field(default_factory=list)
    nested: bool = False

    def close(self, pieces: list[tuple[str, ...]]) -> None:
        """Complete the pieces with what the braces mean: one piece of alternatives, or text in braces."""
        if not self.bars:
            pieces.append(("}",))
            return
        if self.nested:
            raise Unreadable("Alternatives cannot contain other braces. For plain braces, write \\{ and \\}.")
        edges = [self.start, *self.bars, len(pieces)]
        choices = ["".join(text for (text,) in pieces[left + 1 : right]) for left, right in pairwise(edges)]
        pieces[self.start :] = [tuple(dict.fromkeys(choices))]


def _joined(pieces: Iterable[tuple[str, ...]]) -> Parts:
    """Return the pieces with neighboring texts merged into one."""
    parts: list[tuple[str, ...]] = []
    for is_text, run in groupby(pieces, key=lambda piece: len(piece) == 1):
        if is_text:
            parts.append(("".join(text for (text,) in run),))
        else:
            parts.extend(run)
    return tuple(part for part in parts if part != ("",))
