"""The vocabulary of made-up prompts: subjects, places, lights and styles."""

from collections.abc import Sequence
from random import Random

SUBJECTS = (
    "fox", "wolf", "brown bear", "owl", "deer", "raven", "heron", "horse", "cat", "dog", "whale", "dragon",
    "lighthouse", "sailboat", "harbour", "island", "waterfall", "river", "lake", "glacier", "volcano", "canyon",
    "mountain village", "castle", "cathedral", "bridge", "tower", "skyline", "night market", "tram", "café",
    "greenhouse", "orchard", "garden", "bouquet", "orchid", "fern", "mushroom", "astronaut", "caravan", "pyramid",
    "teapot", "bowl of pears", "old camera", "typewriter", "marble", "crystal", "paper crane",
)  # fmt: skip
QUALITIES = (
    "quiet", "lonely", "ancient", "tiny", "enormous", "forgotten", "golden", "red", "blue", "emerald", "silver",
    "velvet", "weathered", "translucent", "luminous", "dreaming", "wild", "elegant", "broken", "frozen", "overgrown",
    "floating", "mechanical", "painted", "origami", "curious", "proud", "sleepy", "misty", "futuristic",
)  # fmt: skip
PLACES = (
    "in the snow", "in a birch forest", "by the sea", "above the clouds", "under a starry sky", "in an empty street",
    "at the edge of the desert", "in the rain", "on a hill", "beside a still lake", "in a field of poppies",
    "behind a window", "among pine trees", "in a narrow valley", "on the moon", "in Lisbon", "in Kyoto", "in Tromsø",
    "in the Scottish highlands", "on a wooden table", "in an abandoned station", "underwater",
)  # fmt: skip
LIGHTS = (
    "at first light", "at sunset", "at midnight", "in golden hour", "in the blue hour", "in fog", "in moonlight",
    "with long shadows", "in harsh noon light", "lit by lanterns", "in candlelight", "under northern lights",
    "in soft window light", "with neon reflections", "backlit", "in a thunderstorm",
)  # fmt: skip
STYLES = (
    "35mm photograph", "large format photograph", "film still", "double exposure", "cyanotype", "watercolour",
    "oil painting", "gouache", "charcoal drawing", "ink drawing", "linocut", "woodblock print", "risograph print",
    "botanical plate", "art deco poster", "minimalist poster", "isometric illustration", "low poly render",
    "claymation", "stained glass", "mosaic", "pencil sketch", "long exposure", "macro photograph",
)  # fmt: skip
DETAILS = (
    "Portra 400", "shallow depth of field", "fine grain", "muted colours", "high contrast", "pastel palette",
    "wide angle", "symmetrical composition", "intricate detail", "visible brush strokes", "paper texture",
    "negative space", "vivid colours", "soft focus", "85mm lens", "volumetric light",
)  # fmt: skip
MOODS = ("calm", "melancholic", "hopeful", "tense", "playful", "dreamy", "solemn", "warm")
INSTRUMENTS = ("piano", "strings", "acoustic guitar", "analogue synthesizer", "marimba", "cello", "harp", "choir")
GENRES = ("lo-fi", "ambient", "baroque", "jazz waltz", "minimal techno", "folk", "film score", "bossa nova")
TAGS = (
    "animals", "architecture", "birthday", "blue", "book cover", "cards", "client", "experiment", "favorites",
    "flowers", "for print", "game", "grain", "holiday", "idea", "keep", "landscape", "later", "logo", "moodboard",
    "night", "people", "poster", "reference", "series", "sketch", "square", "test", "texture", "wallpaper",
)  # fmt: skip
NOTES = (
    "Best of the series.", "Try again with more fog.", "Printed for the hallway.", "Too dark at the left edge.",
    "The light is exactly right.", "Ask Anna what she thinks.", "Use as the cover.", "Hands are wrong.",
)  # fmt: skip
LARGEST_MATRIX = 8  # prompts
COLLECTIONS = ("For the wall", "Book cover", "Winter", "Sea and sky", "Portfolio", "Moodboard", "Gifts", "Films")


def prompt(chance: Random, subject: str) -> str:
    """Return a prompt for a picture or a film of this subject."""
    quality, place, light = chance.choice(QUALITIES), chance.choice(PLACES), chance.choice(LIGHTS)
    style, details = chance.choice(STYLES), chance.sample(DETAILS, chance.choice((0, 1, 1, 2)))
    words = chance.choice(
        (
            f"{with_article(f'{quality} {subject}')} {place} {light}, {style}",
            f"{style} of {with_article(f'{quality} {subject}')} {place}, {light}",
            f"{with_article(subject)} {place}, {quality}, {style} {light}",
        )
    )
    return ", ".join([words[0].upper() + words[1:], *details])


def music(chance: Random) -> str:
    """Return a prompt for a piece of music."""
    first, second = chance.sample(INSTRUMENTS, 2)
    return f"{chance.choice(MOODS)} {chance.choice(GENRES)} with {first} and {second}, {chance.randrange(60, 150)} bpm"


def matrix(chance: Random, subject: str) -> tuple[str, list[list[str]], list[str]]:
    """Return a prompt with alternatives in braces, these alternatives, and the prompts it expands to, in order."""
    qualities, lights = chance.sample(QUALITIES, chance.choice((2, 3, 4))), chance.sample(LIGHTS, 2)
    style = chance.choice(STYLES)
    written = f"A {_braced(qualities)} {subject} {_braced(lights)}, {style}"
    return (
        written,
        [qualities, lights],
        [f"A {quality} {subject} {light}, {style}" for quality in qualities for light in lights],
    )


def with_article(words: str) -> str:
    """Return the words with "a" or "an" before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _braced(words: Sequence[str]) -> str:
    return "{" + "|".join(words) + "}"
