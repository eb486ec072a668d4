"""Water: a sea with the sun's reflection on it, sometimes with a sail or an island."""

from math import sin

from tasks.standin.drawing.canvas import Canvas, Point, noise, ridge
from tasks.standin.drawing.land import sky
from tasks.standin.drawing.palette import Color, mix


def sea(canvas: Canvas) -> None:
    """Draw an open sea under a large sky, with the sun's reflection on the waves."""
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    horizon = height * rng.uniform(0.48, 0.64)
    sun = sky(canvas, horizon, (width * rng.uniform(0.25, 0.75), horizon * rng.uniform(0.55, 0.9)))
    if canvas.says("island coast beach cliff") or rng.random() < 0.4:
        _headland(canvas, horizon)
    deep, pale = mix(palette.sky[0], palette.near, 0.4), mix(palette.sky[3], palette.sky[1], 0.45)
    canvas.gradient(
        [pale, mix(palette.sky[1], palette.far, 0.4), mix(deep, palette.sky[1], 0.3), deep], horizon, height
    )
    _swell(canvas, horizon, deep)
    _path(canvas, horizon, sun)
    if canvas.says("boat ship sail yacht") or rng.random() < 0.45:
        _sail(canvas, horizon)
    canvas.glow((sun[0], horizon), canvas.unit * 0.4, palette.light, 0.35)


def _headland(canvas: Canvas, horizon: float) -> None:
    width, palette = canvas.width, canvas.palette
    for depth, color in ((0.0, mix(palette.far, palette.sky[3], 0.35)), (1.0, mix(palette.far, palette.near, 0.35))):
        line = ridge(canvas.rng, 5, 0.5)
        end = canvas.rng.uniform(0.25, 0.55)
        left = canvas.rng.random() < 0.5
        points: list[Point] = []
        for step in range(80):
            part = step / 79
            x = width * end * part
            y = horizon - canvas.height * (0.09 - 0.025 * depth) * (1 - part) ** 0.7 * (1 + 0.7 * line(part * 3))
            points.append((x if left else width - x, min(horizon, y)))
        corner = 0 if left else width
        canvas.shape([*points, (points[-1][0], horizon), (corner, horizon)], color)


def _swell(canvas: Canvas, horizon: float, deep: Color) -> None:
    width, depth = canvas.width, round(canvas.height - horizon)
    for color, level, opacity in ((canvas.palette.sky[3], 150, 0.5), (deep, 150, 0.7)):
        far = noise((width, depth), canvas.rng, coarse=16, octaves=3, stretch=9)
        mask = far.point(lambda v, level=level, opacity=opacity: round(max(0, v - level) * 1.6 * opacity))
        canvas.image.paste(color, (0, round(horizon)), mask)


def _path(canvas: Canvas, horizon: float, sun: Point) -> None:
    rng, height = canvas.rng, canvas.height
    rows = 90
    for row in range(rows):
        depth = (row / rows) ** 1.6
        y = horizon + 2 + (height - horizon) * depth
        spread = canvas.unit * (0.02 + 0.16 * depth + 0.02 * sin(row * 0.7))
        for _ in range(3):
            x = sun[0] + rng.gauss(0, spread * 0.6)
            half = spread * rng.uniform(0.15, 0.7)
            thick = max(0.6, canvas.unit * (0.0012 + 0.005 * depth) * rng.uniform(0.5, 1.2))
            canvas.shape(
                [(x - half, y), (x, y - thick), (x + half, y), (x, y + thick)],
                canvas.palette.light,
                0.75 - 0.45 * depth,
            )


def _sail(canvas: Canvas, horizon: float) -> None:
    rng, palette = canvas.rng, canvas.palette
    tall = canvas.unit * rng.uniform(0.05, 0.12)
    x, y = canvas.width * rng.choice([rng.uniform(0.14, 0.36), rng.uniform(0.64, 0.86)]), horizon + tall * 0.32
    hull = mix(palette.near, palette.sky[1], 0.12)
    canvas.shape(
        [
            (x - tall * 0.42, y - tall * 0.1),
            (x + tall * 0.45, y - tall * 0.12),
            (x + tall * 0.3, y + tall * 0.05),
            (x - tall * 0.3, y + tall * 0.05),
        ],
        hull,
    )
    canvas.shape(
        [(x, y - tall * 1.1), (x - tall * 0.04, y - tall * 0.17), (x - tall * 0.46, y - tall * 0.17)],
        mix(palette.light, palette.accents[0], 0.12),
    )
    canvas.shape(
        [(x + tall * 0.03, y - tall * 0.98), (x + tall * 0.05, y - tall * 0.17), (x + tall * 0.38, y - tall * 0.17)],
        mix(palette.light, palette.far, 0.3),
    )
    canvas.shape(
        [(x - tall * 0.3, y + tall * 0.07), (x + tall * 0.3, y + tall * 0.07), (x, y + tall * 0.8)],
        hull,
        0.22,
        tall * 0.05,
    )
