r"""A prompt matrix: `{red|blue} fox in {snow|sand}`, for several seeds and models. Read, counted and spread out.

Braces with a | in them are alternatives. All others are text as they stand, since prompts hold JSON and the like; so is
what is written as \{, \| or \}.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise, product
from math import prod

CAP = 256
"""The most prints that one matrix may make."""

Parts = tuple[tuple[str, ...], ...]
"""A prompt in pieces, each with what may stand there: one text, or several alternatives."""

_TOKEN = re.compile(r"\\([{|}])|([{|}])|([^\\{|}]+|\\)")
_COUNT = re.compile(r"\s*(\d{1,9})\s*(seeds?)?\s*", re.IGNORECASE)


class Unreadable(Exception):
    """A matrix that cannot be read. Its message is a sentence for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction in which the prints of a matrix differ. name: prompt, model or seed."""

    name: str
    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One print of a matrix. seed: None where the matrix names none."""

    prompt: str
    model: str
    seed: int | None = None


def read(prompt: str) -> Parts:
    """A prompt in pieces. What is listed twice is there once. Raises Unreadable."""
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
        raise Unreadable("A { with alternatives after it has no }. Where it is only text, write \\{.")
    return _joined(pieces)


def quoted(text: str) -> str:
    """The prompt that, read as a matrix, is just this text."""
    try:
        if read(text) == (((text,),) if text else ()):
            return text
    except Unreadable:
        pass
    return re.sub(r"([{|}])", r"\\\1", text)


def read_seeds(text: str) -> int | list[int]:
    """The seeds that somebody typed: how many ("3", "3 seeds"), or which ("1, 2, 3", "7,"). Raises Unreadable."""
    if count := _COUNT.fullmatch(text):
        return int(count[1])
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise Unreadable("Seeds are a list, as 1, 2, 3, or how many there should be, as 3.") from None


def size(parts: Parts, models: Sequence[str], seeds: Sequence[int] | int | None) -> int:
    """How many prints a matrix makes, without making any."""
    count = len(seeds) if isinstance(seeds, Sequence) else seeds
    return prod(map(len, parts)) * len(models) * (count or 1)


def expand(parts: Parts, models: Sequence[str], seeds: Sequence[int] = ()) -> tuple[list[Axis], list[Cell]]:
    """The axes, the slowest first, and the cells in their order: prompts as they are written, then models, then seeds.

    What has only one value is no axis. To be called where `size` allows it.
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
    """Braces that are open: where they and the bars in them are among the pieces, and whether they hold others."""

    start: int
    bars: list[int] = field(default_factory=list)
    nested: bool = False

    def close(self, pieces: list[tuple[str, ...]]) -> None:
        """Have the pieces end with what the braces mean: one of alternatives, or text with braces around it."""
        if not self.bars:
            pieces.append(("}",))
            return
        if self.nested:
            raise Unreadable("Alternatives cannot hold other braces. Where these are only text, write \\{ and \\}.")
        edges = [self.start, *self.bars, len(pieces)]
        choices = ["".join(text for (text,) in pieces[left + 1 : right]) for left, right in pairwise(edges)]
        pieces[self.start :] = [tuple(dict.fromkeys(choices))]


def _joined(pieces: Iterable[tuple[str, ...]]) -> Parts:
    """The same with neighbouring texts made one."""
    parts: list[tuple[str, ...]] = []
    for is_text, run in groupby(pieces, key=lambda piece: len(piece) == 1):
        if is_text:
            parts.append(("".join(text for (text,) in run),))
        else:
            parts.extend(run)
    return tuple(part for part in parts if part != ("",))
