"""The canvas that all motifs are drawn on: gradients, smooth shapes, light, clouds, and film grain at the end."""

from collections.abc import Callable, Sequence
from math import cos, pi
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from tasks.standin.drawing.palette import Color, Palette, says

Point = tuple[float, float]
Paint = Color | Image.Image


class Canvas:
    """A picture in progress. Lengths are in pixels; `unit` is the shorter side. All randomness comes from `rng`."""

    def __init__(self, size: tuple[int, int], palette: Palette, rng: Random, prompt: str = "") -> None:
        self.width, self.height = size
        self.unit = min(size)
        self.palette = palette
        self.rng = rng
        self.prompt = prompt
        self.image = Image.new("RGB", size, palette.sky[3])

    def says(self, words: str) -> bool:
        """Return whether the prompt has one of these words."""
        return says(self.prompt, words)

    def gradient(self, colors: Sequence[Color], top: float = 0, bottom: float | None = None) -> None:
        """Fill the rows from `top` to `bottom` with colors that blend into each other."""
        bottom = self.height if bottom is None else bottom
        height = max(1, round(bottom - top))
        self.image.paste(blend(colors, (self.width, height)), (0, round(top)))

    def shape(self, points: Sequence[Point], paint: Paint, opacity: float = 1.0, blur: float = 0) -> None:
        """Draw a filled polygon with smooth edges. paint: a color, or a picture that covers the whole canvas."""
        margin = 1 + blur * 2
        left, top = (int(min(axis) - margin) for axis in zip(*points, strict=True))
        right, bottom = (int(max(axis) + margin) + 1 for axis in zip(*points, strict=True))
        left, top, right, bottom = max(0, left), max(0, top), min(self.width, right), min(self.height, bottom)
        if left >= right or top >= bottom:
            return
        mask = Image.new("L", ((right - left) * 2, (bottom - top) * 2))
        ink = round(255 * opacity)
        ImageDraw.Draw(mask).polygon([((x - left) * 2, (y - top) * 2) for x, y in points], fill=ink)
        mask = mask.reduce(2)
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur))
        if isinstance(paint, Image.Image):
            self.image.paste(paint.crop((left, top, right, bottom)), (left, top), mask)
        else:
            self.image.paste(paint, (left, top, right, bottom), mask)

    def disc(self, center: Point, radius: float, paint: Paint, opacity: float = 1.0, blur: float = 0) -> None:
        """Draw a filled circle."""
        self.shape(ring(center, radius, radius), paint, opacity, blur)

    def glow(self, center: Point, radius: float, color: Color, strength: float) -> None:
        """Draw light that falls off around a point."""
        size = max(2, round(radius * 2))
        spot = ImageOps.invert(Image.radial_gradient("L")).point(lambda v: round(((v / 255) ** 2.2) * 255 * strength))
        spot = spot.resize((size, size), Image.Resampling.BILINEAR)
        self.image.paste(color, (round(center[0] - radius), round(center[1] - radius)), spot)

    def wash(self, color: Color, top: float, bottom: float, opacity: float) -> None:
        """Draw haze over the rows from `top` to `bottom` that thickens downward."""
        if bottom - top < 2:
            return
        mask = Image.linear_gradient("L").point(lambda v: round(v * opacity))
        mask = mask.resize((self.width, round(bottom - top)), Image.Resampling.BILINEAR)
        self.image.paste(color, (0, round(top)), mask)

    def clouds(self, color: Color, top: float, bottom: float, cover: float, opacity: float, stretch: float = 4) -> None:
        """Draw drifting clouds in the rows from `top` to `bottom`. cover: from 0 (clear) to 1."""
        height = max(2, round(bottom - top))
        mask = noise((self.width, height), self.rng, coarse=3, stretch=stretch)
        edge = 255 * (1 - cover)
        mask = mask.point(lambda v: round(max(0.0, min(1.0, (v - edge) / 90)) * 255 * opacity))
        fade = blend([(0, 0, 0), (255, 255, 255), (200, 200, 200), (0, 0, 0)], (self.width, height)).getchannel(0)
        self.image.paste(color, (0, round(top)), ImageChops.multiply(mask, fade))

    def strokes(self, lines: Sequence[tuple[Sequence[Point], Color, float]]) -> None:
        """Draw many thin lines with smooth edges at once, each with its own color and width."""
        layer = self.image.resize((self.width * 2, self.height * 2), Image.Resampling.NEAREST)
        draw = ImageDraw.Draw(layer)
        for points, color, width in lines:
            draw.line([(x * 2, y * 2) for x, y in points], fill=color, width=max(1, round(width * 2)), joint="curve")
        self.image = layer.reduce(2)

    def finish(self, vignette: float = 0.34) -> Image.Image:
        """Return the picture as if taken on film: with bloom, softened blacks, darker corners, and grain."""
        picture = _bloom(self.image)
        corners = ImageOps.invert(Image.radial_gradient("L").point(lambda v: round(max(0, v - 70) * vignette)))
        corners = corners.resize(picture.size, Image.Resampling.BICUBIC)
        picture = ImageChops.multiply(picture, Image.merge("RGB", (corners,) * 3))
        picture = picture.point(_tone((8, 247)) + _tone((7, 244)) + _tone((13, 236)))
        return _grain(picture, self.rng, 0.4 + 0.6 * min(1.0, self.unit / 1024))


def blend(colors: Sequence[Color], size: tuple[int, int]) -> Image.Image:
    """Return a picture whose colors blend into each other from top to bottom."""
    strip = Image.new("RGB", (1, len(colors)))
    strip.putdata(list(colors))
    edge = 0.5  # omits half a color above and below, so that the ends are the first and the last color
    return strip.resize(size, Image.Resampling.BICUBIC, box=(0, edge, 1, len(colors) - edge))


def ring(center: Point, across: float, along: float, steps: int = 64) -> list[Point]:
    """Return the outline of an ellipse with these radii."""
    turns = (2 * pi * step / steps for step in range(steps))
    return [(center[0] + across * cos(turn), center[1] + along * cos(turn - pi / 2)) for turn in turns]


def noise(size: tuple[int, int], rng: Random, coarse: int = 3, octaves: int = 4, stretch: float = 1) -> Image.Image:
    """Return smooth random grays ("L"), from large shapes to small ones. stretch: how much wider than high they are."""
    result: Image.Image | None = None
    for octave in range(octaves):
        rows = max(2, coarse * 2**octave)
        columns = max(2, round(rows * size[0] / size[1] / stretch) + 1)
        grid = Image.frombytes("L", (columns + 2, rows + 2), rng.randbytes((columns + 2) * (rows + 2)))
        layer = grid.resize(size, Image.Resampling.BICUBIC, box=(1, 1, columns + 1, rows + 1))
        result = layer if result is None else Image.blend(result, layer, 0.5 ** (octave + 0.6))
    assert result is not None
    return ImageOps.autocontrast(result)


def ridge(rng: Random, octaves: int = 5, roughness: float = 0.5) -> Callable[[float], float]:
    """Return a line of hills: a smooth random function of x, from about -1 to 1. One hill is about 1 wide."""
    tables = [[rng.uniform(-1, 1) for _ in range(64)] for _ in range(octaves)]

    def height(x: float) -> float:
        total, share, weight = 0.0, 1.0, 0.0
        for octave, table in enumerate(tables):
            at = x * 2**octave
            cell = int(at // 1)
            part = at - cell
            part = part * part * (3 - 2 * part)
            total += share * (table[cell % 64] * (1 - part) + table[(cell + 1) % 64] * part)
            weight += share
            share *= roughness
        return total / weight * 1.5

    return height


def _bloom(picture: Image.Image) -> Image.Image:
    small = picture.reduce(8) if min(picture.size) >= 64 else picture
    light = small.point(lambda v: max(0, v - 110) // 2).filter(ImageFilter.GaussianBlur(max(small.size) / 40))
    return ImageChops.screen(picture, light.resize(picture.size, Image.Resampling.BILINEAR))


def _tone(ends: tuple[int, int]) -> list[int]:
    low, high = ends
    curve = ((v / 255) * (1 - 0.12) + 0.12 * (3 * (v / 255) ** 2 - 2 * (v / 255) ** 3) for v in range(256))
    return [round(low + (high - low) * v) for v in curve]


def _grain(picture: Image.Image, rng: Random, amount: float) -> Image.Image:
    width, height = (max(2, side * 2 // 3) for side in picture.size)
    speckle = Image.frombytes("L", (width, height), rng.randbytes(width * height))
    speckle = speckle.point(lambda v: round(128 + (v - 128) * 0.085 * amount))
    speckle = speckle.resize(picture.size, Image.Resampling.BICUBIC)
    return ImageChops.add(picture, Image.merge("RGB", (speckle,) * 3), 1, -128)
