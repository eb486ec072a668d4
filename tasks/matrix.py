r"""A prompt matrix: `{red|blue} fox in {snow|sand}`, for several seeds and models. Read, counted and spread out.

Braces with a | in them are alternatives. All others are text as they stand, since prompts hold JSON and the like; so is
what is written as \{, \| or \}.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
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
    opened: list[_Braces] = [_Braces()]
    for escaped, sign, text in _TOKEN.findall(prompt):
        if sign == "{":
            opened.append(_Braces())
        elif sign == "}" and len(opened) > 1:
            closed = opened.pop()
            opened[-1].add(closed.parts(), braces=True)
        elif sign == "|" and len(opened) > 1:
            opened[-1].choices.append([])
        else:
            opened[-1].add([(escaped or sign or text,)])
    while len(opened) > 1:
        left = opened.pop()
        if len(left.choices) > 1:
            raise Unreadable("A { with alternatives after it has no }. Where it is only text, write \\{.")
        opened[-1].add([("{",), *left.choices[0]])
    return _joined(opened[0].choices[0])


def quoted(text: str) -> str:
    """The prompt that, read as a matrix, is just this text."""
    try:
        if read(text) in ((), ((text,),)):
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


class _Braces:
    """What has been read since a brace was opened, or since the beginning."""

    def __init__(self) -> None:
        self.choices: list[list[tuple[str, ...]]] = [[]]
        self.nested = False

    def add(self, parts: Sequence[tuple[str, ...]], braces: bool = False) -> None:
        self.choices[-1].extend(parts)
        self.nested = self.nested or braces

    def parts(self) -> list[tuple[str, ...]]:
        """What the closed braces mean: alternatives, or text with braces around it."""
        if len(self.choices) == 1:
            return [("{",), *self.choices[0], ("}",)]
        if self.nested:
            raise Unreadable("Alternatives cannot hold other braces. Where these are only text, write \\{ and \\}.")
        return [tuple(dict.fromkeys("".join(text for (text,) in choice) for choice in self.choices))]


def _joined(parts: Sequence[tuple[str, ...]]) -> Parts:
    """The same with neighbouring texts made one."""
    return tuple(_join(parts))


def _join(parts: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    text = ""
    for part in parts:
        if len(part) == 1:
            text += part[0]
            continue
        if text:
            yield (text,)
            text = ""
        yield part
    if text:
        yield (text,)
