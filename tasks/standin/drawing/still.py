"""Still lifes: bottles, bowls and fruit on a table, in soft light from one side."""

from collections.abc import Sequence

from PIL import Image, ImageChops

from tasks.standin.drawing.canvas import Canvas, Point, blend, ring
from tasks.standin.drawing.flora import paper
from tasks.standin.drawing.palette import Color, mix

# One half of each outline, as pairs of height (0 at the foot, 1 at the top) and half width.
VESSELS: list[list[Point]] = [
    [(0, 0.20), (0.05, 0.22), (0.50, 0.22), (0.58, 0.18), (0.66, 0.07), (0.95, 0.06), (0.96, 0.08), (1, 0.08)],
    [(0, 0.16), (0.12, 0.27), (0.32, 0.33), (0.52, 0.27), (0.70, 0.12), (0.84, 0.09), (0.96, 0.14), (1, 0.15)],
    [(0, 0.13), (0.20, 0.17), (0.48, 0.24), (0.68, 0.26), (0.84, 0.22), (0.92, 0.13), (1, 0.14)],
    [(0, 0.10), (0.06, 0.10), (0.20, 0.13), (0.55, 0.13), (0.70, 0.10), (0.80, 0.04), (1, 0.035)],
    [(0, 0.22), (0.10, 0.26), (0.90, 0.28), (1, 0.28)],
]


def table(canvas: Canvas) -> None:
    """Draw three to five vessels in a row, and fruit in front of them."""
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    wall = mix(mix(palette.far, palette.sky[3], 0.35), palette.sky[1], rng.uniform(0, 0.4))
    paper(canvas, wall)
    edge = height * rng.uniform(0.62, 0.7)
    board = mix(mix(palette.accents[3], palette.accents[1], 0.25), palette.near, rng.uniform(0.05, 0.35))
    canvas.gradient([mix(board, palette.near, 0.2), board, mix(board, palette.light, 0.2)], edge, height)
    side = rng.choice([-1, 1])
    _window(canvas, edge, side)
    count = rng.randint(3, 5)
    tones = [
        palette.accents[0],
        palette.accents[2],
        palette.accents[3],
        palette.accents[1],
        palette.near,
        palette.sky[1],
    ]
    rng.shuffle(tones)
    places = [(number + 0.5) / count for number in range(count)]
    rng.shuffle(places)
    for number, place in enumerate(places):
        tall = canvas.unit * rng.uniform(0.28, 0.56)
        at = width / 2 + (place - 0.5) * canvas.unit * 0.86, edge + height * (0.05 + 0.035 * number)
        color = mix(tones[number], wall, 0.22)
        _vessel(canvas, at, tall, rng.choice(VESSELS), color, side)
    for _ in range(rng.randint(1, 4)):
        at = width / 2 + canvas.unit * rng.uniform(-0.42, 0.42), edge + height * rng.uniform(0.17, 0.25)
        _fruit(
            canvas,
            at,
            canvas.unit * rng.uniform(0.05, 0.075),
            mix(rng.choice(palette.accents[:2]), palette.light, 0.1),
            side,
        )


def _window(canvas: Canvas, edge: float, side: int) -> None:
    width, palette = canvas.width, canvas.palette
    for pane in (0, 1):
        left = width * (0.2 + 0.24 * pane) + side * width * 0.08
        lean = canvas.unit * 0.16 * side
        top, bottom = edge * 0.08, edge * 0.86
        canvas.shape(
            [(left + lean, top), (left + lean + width * 0.2, top), (left + width * 0.2, bottom), (left, bottom)],
            palette.light,
            0.3,
            canvas.unit * 0.008,
        )


def _vessel(canvas: Canvas, at: Point, tall: float, outline: Sequence[Point], color: Color, side: int) -> None:
    x, y = at
    wide = max(half for _, half in outline) * tall
    _shadow(canvas, at, wide, tall, side)
    smooth = _smooth(outline)
    points = [(x - half * tall, y - level * tall) for level, half in smooth]
    points += [(x + half * tall, y - level * tall) for level, half in reversed(smooth)]
    foot, top = smooth[0][1] * tall, smooth[-1][1] * tall
    paint = _round(canvas, (x, y - tall / 2), (wide, tall), color, side)
    canvas.shape(ring((x, y), foot, foot * 0.22), paint)
    canvas.shape(points, paint)
    canvas.shape(ring((x, y - tall), top, top * 0.24), mix(color, canvas.palette.near, 0.45))
    canvas.shape(ring((x, y - tall + top * 0.05), top * 0.86, top * 0.17), mix(color, canvas.palette.near, 0.7))


def _fruit(canvas: Canvas, at: Point, radius: float, color: Color, side: int) -> None:
    x, y = at
    _shadow(canvas, (x, y + radius * 0.8), radius, radius * 1.6, side)
    paint = _round(canvas, at, (radius, radius * 2), color, side)
    canvas.disc(at, radius, paint)
    canvas.disc(
        (x + side * radius * 0.2, y + radius * 0.45),
        radius * 0.8,
        mix(color, canvas.palette.near, 0.5),
        0.35,
        radius * 0.2,
    )
    canvas.disc((x - side * radius * 0.35, y - radius * 0.4), radius * 0.3, canvas.palette.light, 0.4, radius * 0.16)


def _shadow(canvas: Canvas, foot: Point, wide: float, tall: float, side: int) -> None:
    x, y = foot
    dark = mix(canvas.palette.near, canvas.palette.accents[0], 0.12)
    canvas.shape(ring((x + side * wide * 0.25, y), wide * 1.15, wide * 0.26), dark, 0.5, canvas.unit * 0.008)
    reach = side * tall * 0.8
    canvas.shape(
        [
            (x - wide * 0.6, y),
            (x + reach, y - tall * 0.08),
            (x + reach * 1.05, y + tall * 0.1),
            (x + wide * 0.6, y + wide * 0.2),
        ],
        dark,
        0.3,
        canvas.unit * 0.012,
    )


def _round(canvas: Canvas, center: Point, size: Point, color: Color, side: int) -> Image.Image:
    """Return a canvas-sized paint that shades a round object at `center` from its lit side to its dark side."""
    wide, tall = size
    lit, dark = mix(color, canvas.palette.light, 0.42), mix(color, canvas.palette.near, 0.62)
    stops = [mix(color, dark, 0.15), lit, color, mix(color, dark, 0.55), dark, mix(dark, color, 0.3)]
    across = blend(stops, (64, max(2, round(wide * 2.1)))).transpose(
        Image.Transpose.ROTATE_90 if side > 0 else Image.Transpose.ROTATE_270
    )
    across = across.resize((max(2, round(wide * 2.1)), max(2, round(tall * 1.4))))
    down = blend([(255, 255, 255), (222, 222, 222)], across.size)
    paint = Image.new("RGB", canvas.image.size, color)
    paint.paste(
        ImageChops.multiply(across, down), (round(center[0] - across.width / 2), round(center[1] - across.height / 2))
    )
    return paint


def _smooth(outline: Sequence[Point]) -> list[Point]:
    """Return the outline as a smooth curve through its points (a Catmull-Rom spline)."""
    ends = [outline[0], *outline, outline[-1]]
    result: list[Point] = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for part in (step / 8 for step in range(8)):
            level, half = (
                b[axis]
                + 0.5
                * part
                * (
                    c[axis]
                    - a[axis]
                    + part
                    * (
                        2 * a[axis]
                        - 5 * b[axis]
                        + 4 * c[axis]
                        - d[axis]
                        + part * (3 * (b[axis] - c[axis]) + d[axis] - a[axis])
                    )
                )
                for axis in (0, 1)
            )
            result.append((level, max(0.01, half)))
    return [*result, outline[-1]]
