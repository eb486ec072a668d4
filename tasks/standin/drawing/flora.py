"""Flowers and leaves, as if pressed between the pages of a book."""

from math import atan2, cos, pi, sin

from tasks.standin.drawing.canvas import Canvas, Point, noise
from tasks.standin.drawing.palette import Color, mix


def bouquet(canvas: Canvas) -> None:
    """Draw a handful of stems with leaves and blossoms on paper, sometimes in front of a pale disc."""
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    dark = canvas.says("night dark moody noir black") or rng.random() < 0.3
    ground = mix(palette.near, palette.sky[0], 0.25) if dark else mix(palette.accents[3], palette.sky[3], 0.25)
    paper(canvas, ground)
    if rng.random() < 0.7:
        canvas.disc(
            (width * rng.uniform(0.4, 0.6), height * rng.uniform(0.36, 0.48)),
            canvas.unit * rng.uniform(0.27, 0.36),
            mix(ground, rng.choice([palette.sky[2], palette.accents[1]]), 0.6),
        )
    foot = width * rng.uniform(0.44, 0.56), height * 1.04
    leaf = mix(mix(palette.far, (70, 104, 78), 0.55), palette.near, 0.1)
    stems = rng.randint(6, 9)
    blossoms: list[tuple[Point, float]] = []
    order = rng.sample(range(stems), stems)
    for number in range(stems):
        turn = (order[number] / (stems - 1) - 0.5) * 1.25 * min(1.0, width / height) + rng.gauss(0, 0.06)
        tall = height * rng.uniform(0.55, 0.86) * (1 - 0.35 * abs(turn))
        tint = mix(mix(leaf, rng.choice(palette.accents[:3]), rng.uniform(0, 0.3)), ground, rng.uniform(0, 0.3))
        line = _stem(foot, tall, turn, rng.uniform(-0.5, 0.5))
        canvas.shape(_band(line, canvas.unit * 0.0045), mix(tint, palette.near, 0.2))
        if number % 2 and rng.random() < 0.6:
            _fern(canvas, line, tint)
        else:
            _leaves(canvas, line, tint)
            blossoms.append((line[-1], turn))
    for tip, turn in blossoms:
        _blossom(canvas, tip, canvas.unit * rng.uniform(0.055, 0.115), rng.choice(palette.accents[:3]), turn)


def paper(canvas: Canvas, color: Color) -> None:
    """Draw a paper background: one color, slightly cloudy, with light from one side."""
    canvas.image.paste(color, (0, 0, *canvas.image.size))
    shade = noise(canvas.image.size, canvas.rng, coarse=4, octaves=5)
    canvas.image.paste(mix(color, canvas.palette.near, 0.2), (0, 0), shade.point(lambda v: max(0, v - 120) // 3))
    canvas.glow((canvas.width * canvas.rng.uniform(0.1, 0.9), 0), canvas.unit, canvas.palette.light, 0.3)


def _stem(foot: Point, tall: float, turn: float, bend: float) -> list[Point]:
    points = []
    for step in range(26):
        part = step / 25
        angle = turn * (0.55 + 0.6 * part) + bend * part * part * 0.6
        points.append((foot[0] + sin(angle) * tall * part, foot[1] - cos(angle) * tall * part))
    return points


def _leaves(canvas: Canvas, line: list[Point], color: Color) -> None:
    rng = canvas.rng
    for place in range(7, 23, rng.choice([2, 3, 4])):
        for side in (-1, 1):
            if rng.random() < 0.25:
                continue
            long = canvas.unit * rng.uniform(0.07, 0.13) * (1.15 - place / 30)
            _leaf(
                canvas,
                line[place],
                _heading(line, place) + side * rng.uniform(0.6, 1.0),
                long,
                long * rng.uniform(0.16, 0.24),
                color,
            )


def _fern(canvas: Canvas, line: list[Point], color: Color) -> None:
    for place in range(5, 26):
        long = canvas.unit * 0.13 * sin(pi * (place - 2) / 25) ** 0.8 + canvas.unit * 0.012
        for side in (-1, 1):
            _leaf(canvas, line[place], _heading(line, min(place, 24)) + side * 0.95, long, long * 0.13, color)


def _leaf(canvas: Canvas, at: Point, heading: float, long: float, wide: float, color: Color) -> None:
    middle, left, right = [], [], []
    for step in range(11):
        part = step / 10
        bend = heading + 0.25 * part
        x, y = at[0] + sin(bend) * long * part, at[1] - cos(bend) * long * part
        swell = wide * sin(pi * part**0.8) * (1 - 0.25 * part)
        middle.append((x, y))
        left.append((x - cos(bend) * swell, y - sin(bend) * swell))
        right.append((x + cos(bend) * swell, y + sin(bend) * swell))
    tint = mix(color, canvas.palette.light, canvas.rng.uniform(0, 0.16))
    canvas.shape([*left, *reversed(middle)], tint, 0.94)
    canvas.shape([*right, *reversed(middle)], mix(tint, canvas.palette.near, 0.2), 0.94)


def _blossom(canvas: Canvas, at: Point, radius: float, color: Color, lean: float) -> None:
    rng = canvas.rng
    petals, layers = rng.choice([5, 6, 8, 13]), rng.randint(2, 3)
    for layer in range(layers):
        size = radius * (1 - 0.27 * layer)
        tint = mix(color, canvas.palette.light, 0.12 + 0.2 * layer)
        for petal in range(petals):
            heading = 2 * pi * (petal + layer * 0.5) / petals + rng.gauss(0, 0.07) + lean
            _petal(canvas, at, heading, size * rng.uniform(0.9, 1.08), size * 1.9 / petals + size * 0.1, tint)
    heart = mix(canvas.palette.accents[1], canvas.palette.near, 0.3)
    canvas.disc(at, radius * 0.17, heart)
    for _ in range(14):
        angle, far = rng.random() * 2 * pi, radius * rng.uniform(0.12, 0.27)
        canvas.disc(
            (at[0] + cos(angle) * far, at[1] + sin(angle) * far), radius * 0.025, mix(heart, canvas.palette.light, 0.5)
        )


def _petal(canvas: Canvas, at: Point, heading: float, long: float, wide: float, color: Color) -> None:
    outline: list[Point] = []
    for step in range(17):
        part = step / 16 * pi
        along, across = long * (0.5 - 0.5 * cos(part)), wide * sin(part) ** 0.8 * (0.55 + 0.45 * (1 - cos(part)) / 2)
        outline.append(
            (at[0] + sin(heading) * along - cos(heading) * across, at[1] - cos(heading) * along - sin(heading) * across)
        )
    back = [
        (2 * (at[0] + sin(heading) * d) - x, 2 * (at[1] - cos(heading) * d) - y)
        for (x, y), d in ((point, _along(at, heading, point)) for point in reversed(outline))
    ]
    shade = mix(color, canvas.palette.near, canvas.rng.uniform(0, 0.16))
    canvas.shape([*outline, *back], shade, 0.8)


def _along(at: Point, heading: float, point: Point) -> float:
    return (point[0] - at[0]) * sin(heading) - (point[1] - at[1]) * cos(heading)


def _heading(line: list[Point], place: int) -> float:
    (x, y), (ahead_x, ahead_y) = line[place - 1], line[place]
    return atan2(ahead_x - x, -(ahead_y - y))


def _band(line: list[Point], wide: float) -> list[Point]:
    thick = [wide * (1.15 - place / len(line)) for place in range(len(line))]
    left = [(x - half, y) for (x, y), half in zip(line, thick, strict=True)]
    right = [(x + half, y) for (x, y), half in zip(line, thick, strict=True)]
    return [*left, *reversed(right)]
