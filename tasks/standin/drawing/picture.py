"""A picture from a prompt: the motif that its words name, or a random one, on a canvas of the right size."""

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from random import Random

from PIL import Image, ImageChops, ImageOps

from tasks.standin.drawing import abstract, city, flora, land, night, still, water
from tasks.standin.drawing.canvas import Canvas
from tasks.standin.drawing.palette import choose, says

MOST_PIXELS = 1_600_000  # larger pictures are drawn at this size and enlarged

MOTIFS: list[tuple[str, Callable[[Canvas], None]]] = [
    (
        "city skyline tokyo paris london york manhattan building street urban tower cyberpunk downtown architecture",
        city.skyline,
    ),
    ("night star starry galaxy moon aurora milky cosmos space nebula astronaut planet midnight", night.night),
    ("ocean sea wave beach sail sailboat ship boat island coast harbor whale fish water lighthouse", water.sea),
    ("desert dune sand sahara mars camel pyramid egypt", land.dunes),
    ("forest tree wood lake pine cabin deer wolf fox bear owl reflection jungle river", land.woods),
    (
        "mountain hill valley alp fuji landscape peak canyon cliff volcano sunrise horizon eagle dragon castle",
        land.mountains,
    ),
    (
        "flower floral botanical bouquet garden rose tulip orchid plant leaf fern blossom herb butterfly spring",
        flora.bouquet,
    ),
    ("still table bottle vase bowl fruit apple lemon pear kitchen coffee tea cup wine pottery food bread", still.table),
    ("abstract flow line swirl motion music wind energy hair smoke dream painting", abstract.current),
    ("agate marble stone crystal geode mineral texture topographic liquid fluid wave pattern", abstract.stone),
    ("geometric shape bauhaus minimal minimalist poster circle modern logo design cubism arch", abstract.balance),
]


def draw(prompt: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """Return a picture of this size in pixels. The same arguments always produce the same picture."""
    chance = Random(sha256(prompt.encode()).digest())  # the prompt chooses motif and colors, the seed only varies them
    motif = _motif(prompt, chance)
    palette = choose(prompt, chance)
    width, height = size
    scale = min(1.0, (MOST_PIXELS / (width * height)) ** 0.5)
    rng = Random(sha256(f"{prompt}\0{seed}".encode()).digest())
    canvas = Canvas((max(16, round(width * scale)), max(16, round(height * scale))), palette, rng, prompt)
    motif(canvas)
    picture = canvas.finish()
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def redraw(given: Image.Image, prompt: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """Return the given picture in the light and colors of the one that `draw` returns."""
    given = ImageOps.fit(given.convert("RGB"), size)
    drawn = draw(prompt, seed, size)
    return Image.blend(ImageChops.soft_light(given, drawn), drawn, 0.22)


def encode(picture: Image.Image, extension: str, quality: int) -> bytes:
    """Return the picture encoded as webp, jpg or png."""
    file = BytesIO()
    if extension == "png":
        picture.save(file, "PNG", compress_level=3)
    elif extension == "jpg":
        picture.save(file, "JPEG", quality=max(1, quality))
    else:
        picture.save(file, "WEBP", quality=quality, method=1)
    return file.getvalue()


def _motif(prompt: str, chance: Random) -> Callable[[Canvas], None]:
    named = [motif for words, motif in MOTIFS if says(prompt, words)]
    return named[0] if named else chance.choice([motif for _, motif in MOTIFS])
