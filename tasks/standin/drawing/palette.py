"""Color palettes in the style of old film, chosen by the words of a prompt."""

from dataclasses import dataclass
from random import Random
from re import findall

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """The colors of one picture. sky: from the zenith to the horizon. far, near: land, or paper and ink."""

    colors: str
    moods: str
    sky: tuple[Color, Color, Color, Color]
    light: Color
    far: Color
    near: Color
    accents: tuple[Color, Color, Color, Color]


def choose(prompt: str, rng: Random) -> Palette:
    """Return a palette of a color that the prompt names, else of its mood, else any: a random one when several fit."""
    fitting = [palette for palette in PALETTES if says(prompt, palette.colors)]
    fitting = fitting or [palette for palette in PALETTES if says(prompt, palette.moods)]
    return rng.choice(fitting or PALETTES)


def says(prompt: str, words: str) -> bool:
    """Return whether the prompt has one of these words, in singular or plural."""
    return not {word.removesuffix("s") for word in findall(r"\w+", prompt.casefold())}.isdisjoint(words.split())


def mix(one: Color, other: Color, share: float) -> Color:
    """Return a mix of two colors. share: the part of `other`, from 0 to 1."""
    a, b, c = (round(x + (y - x) * share) for x, y in zip(one, other, strict=True))
    return a, b, c


def rgb(code: str) -> Color:
    """Return the color with these six hexadecimal digits."""
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def _palette(colors: str, moods: str, sky: str, light: str, far: str, near: str, accents: str) -> Palette:
    a, b, c, d = map(rgb, sky.split())
    e, f, g, h = map(rgb, accents.split())
    return Palette(colors, moods, (a, b, c, d), rgb(light), rgb(far), rgb(near), (e, f, g, h))


PALETTES = [
    _palette(
        "pink magenta",
        "sunset dusk evening romantic",
        "2f3558 7b5578 d98a7e f7c99b",
        "fff0cf",
        "a8788a",
        "231c33",
        "e8735a f2b66d 6e7fae f6e3cc",
    ),
    _palette(
        "red crimson scarlet rust",
        "ember fire volcano lava mars dragon",
        "2a1620 7d2a2b cf5a38 f2a65a",
        "ffe3b0",
        "9c4a3a",
        "1c0f14",
        "c8321f e88a3c 3d5663 f3dfc2",
    ),
    _palette(
        "gold golden yellow beige",
        "sun sunny sunset honey desert sahara dune sand wheat savanna",
        "7e98a3 bdb9a5 ebd0a0 f8dfa6",
        "fff6dc",
        "cf9f6b",
        "4a2c20",
        "d98e2b f0c463 6d8b85 fbeed3",
    ),
    _palette(
        "green olive",
        "forest jungle moss garden spring meadow tea",
        "7fa3a0 a9c3ae d5dcb9 f1ecca",
        "fffbe2",
        "8aa78b",
        "16302a",
        "3e7a5a c7b446 d9785b f2eed9",
    ),
    _palette(
        "blue navy azure",
        "ocean sea water river lake fjord rain",
        "1f3f63 4a7a9c 9cc0cb e9e3cf",
        "fff4dd",
        "7d9fb0",
        "0f2233",
        "2e6b9a e6a15c 7fb5b5 f1ead8",
    ),
    _palette(
        "teal turquoise cyan mint",
        "tropical island lagoon beach summer",
        "1d5560 3d8f8f 96c9b6 f3e2bd",
        "fff5d8",
        "6fa9a0",
        "0d2c33",
        "1f8a86 f08a5d e9c46a f4efdf",
    ),
    _palette(
        "purple violet lavender",
        "dream fantasy magic magical fairy wizard",
        "2b2450 5e4a86 a983ae f0c3b8",
        "ffe9dc",
        "8a76a3",
        "1b1633",
        "7b5ea7 e59aa0 5f8fa8 f3e6ea",
    ),
    _palette(
        "rose peach pastel",
        "blossom cherry wedding love soft kitten",
        "a9b6c4 d3c3c6 f0cfc4 fae6d5",
        "fffaf0",
        "cfa6a4",
        "4d3540",
        "d9667b f0a58f 8aa08a fbf1e8",
    ),
    _palette(
        "indigo",
        "night midnight moon star starry galaxy space dark cosmic astronaut",
        "070b1c 121c3d 27386a 6a6c97",
        "f6efd9",
        "33436e",
        "050816",
        "5877c9 e9b872 b86f8f e6e8f2",
    ),
    _palette(
        "neon",
        "cyberpunk futuristic future robot synthwave scifi",
        "140f2e 4b1f63 c23b78 ff9a6b",
        "ffe2b8",
        "5a3477",
        "0c0a1d",
        "ff4f79 2fc3d6 ffb454 efe3f5",
    ),
    _palette(
        "orange brown copper bronze",
        "autumn fall harvest pumpkin coffee wooden",
        "6f7f86 b3a58e e0b27a f4d29c",
        "fff1cf",
        "b5794b",
        "2c1a14",
        "c4551f e3a336 5d6b3f f4e6cd",
    ),
    _palette(
        "white",
        "snow snowy ice arctic glacier winter frost polar cold",
        "6c8ba8 a3bccd d8e1e3 f6e6db",
        "fffdf6",
        "b4c6d2",
        "2a4056",
        "5d8fb3 d98d79 a7b8a0 f5f7f6",
    ),
    _palette(
        "silver grey gray",
        "fog foggy mist misty morning dawn quiet calm zen",
        "8b9aa1 b0b6b3 d6d0c2 efe2cd",
        "fff8ea",
        "a3a8a3",
        "2b3338",
        "7a8f8c c99a6b b5655a efe9dc",
    ),
    _palette(
        "black monochrome",
        "noir ink charcoal pencil analog",
        "2a2a2b 6a6967 aeaba5 e4dfd5",
        "fbf7ee",
        "8a8884",
        "141414",
        "3d3c3b 8f8b84 c9c2b5 efeae0",
    ),
]
