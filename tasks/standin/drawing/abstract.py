"""Abstract pictures: lines in a current, cut stone, and plain shapes in balance."""

from math import cos, pi, sin

from PIL import Image, ImageChops

from tasks.standin.drawing.canvas import Canvas, Point, blend, noise, ridge, ring
from tasks.standin.drawing.flora import paper
from tasks.standin.drawing.palette import Color, mix


def current(canvas: Canvas) -> None:
    """Draw hundreds of lines that follow one current."""
    rng, palette, width, height, unit = canvas.rng, canvas.palette, canvas.width, canvas.height, canvas.unit
    ground = rng.choice([mix(palette.accents[3], palette.sky[3], 0.3), mix(palette.near, palette.sky[0], 0.2)])
    paper(canvas, ground)
    across, down = ridge(rng, 2, 0.4), ridge(rng, 2, 0.4)
    start, turns, reach = rng.uniform(0, 2 * pi), rng.uniform(1.0, 2.0), rng.uniform(1.0, 1.7)
    colors = [*palette.accents, palette.sky[1], palette.sky[2], palette.light]
    bands = ridge(rng, 2, 0.5)
    lines: list[tuple[list[Point], Color, float]] = []
    for _ in range(760):
        x, y = rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.1, 1.1) * height
        tone = (bands(x / unit * 1.3) + bands(9 + y / unit * 1.3)) * 1.8 + rng.gauss(0, 0.5)
        color = mix(colors[int(abs(tone) * 2.2) % len(colors)], ground, rng.uniform(0, 0.25))
        points = [(x, y)]
        for _ in range(rng.randint(8, 26)):
            angle = start + turns * pi * (
                across(x / unit * reach) + down(20 + y / unit * reach) + 0.4 * sin(x / unit * 2)
            )
            x, y = x + cos(angle) * unit * 0.016, y + sin(angle) * unit * 0.016
            points.append((x, y))
        lines.append((points, color, unit * rng.choice([0.002, 0.003, 0.005, 0.009])))
    canvas.strokes(lines)


def stone(canvas: Canvas) -> None:
    """Draw a slice of agate: bands of color around hollows."""
    rng, palette, size = canvas.rng, canvas.palette, canvas.image.size
    half = size[0] // 2 + 1, size[1] // 2 + 1
    field = noise(half, rng, coarse=2, octaves=2, stretch=rng.uniform(0.6, 1.6))
    field = Image.blend(field, noise(half, rng, coarse=5, octaves=3), 0.16)
    stops = [
        palette.near,
        mix(palette.near, palette.sky[0], 0.7),
        palette.sky[1],
        palette.far,
        palette.sky[3],
        palette.light,
        palette.accents[1],
        palette.accents[0],
        mix(palette.accents[0], palette.near, 0.5),
        palette.sky[0],
    ]
    start = rng.randrange(len(stops))
    stops = stops[start:] + stops[:start]
    lines = [
        mix(stop, rng.choice([palette.light, palette.near, stop]), rng.uniform(0, 0.35))
        for stop in stops
        for _ in range(5)
    ]
    bands = blend(lines, (1, 256))
    table = [bands.getpixel((0, level)) for level in range(256)]
    channels = [field.point([color[channel] for color in table]) for channel in range(3)]  # type: ignore[index]
    canvas.image = Image.merge("RGB", channels).resize(size, Image.Resampling.BICUBIC)


def balance(canvas: Canvas) -> None:
    """Draw discs, arches and bars on paper, each with a soft edge of shadow, as if cut from colored card."""
    rng, palette, width, height, unit = canvas.rng, canvas.palette, canvas.width, canvas.height, canvas.unit
    ground = mix(palette.accents[3], palette.sky[3], rng.uniform(0, 0.6))
    paper(canvas, ground)
    colors = [palette.accents[0], palette.accents[1], palette.accents[2], palette.near, palette.sky[1], palette.far]
    rng.shuffle(colors)
    sun = width * rng.uniform(0.3, 0.7), height * rng.uniform(0.26, 0.42)
    _card(canvas, ring(sun, unit * 0.23, unit * 0.23), colors[0])
    floor = height * rng.uniform(0.7, 0.8)
    for number in range(rng.randint(3, 5)):
        color = colors[1 + number % 5]
        x = width * (0.14 + 0.72 * ((number * 0.618 + rng.uniform(0, 0.2)) % 1))
        wide, tall = unit * rng.uniform(0.07, 0.14), unit * rng.uniform(0.18, 0.5)
        arch = [
            (x + wide * cos(turn), floor - tall - wide * sin(turn)) for turn in (pi * step / 40 for step in range(41))
        ]
        _card(canvas, [(x + wide, floor), *arch, (x - wide, floor)], color)
        if rng.random() < 0.6:
            inner = [
                (x + wide * 0.55 * cos(turn), floor - tall * 0.7 - wide * 0.55 * sin(turn))
                for turn in (pi * step / 40 for step in range(41))
            ]
            canvas.shape([(x + wide * 0.55, floor), *inner, (x - wide * 0.55, floor)], mix(color, ground, 0.55))
    _card(
        canvas,
        [(0, floor), (width, floor + height * rng.uniform(-0.03, 0.03)), (width, height), (0, height)],
        mix(colors[5], palette.near, 0.2),
    )
    for _ in range(rng.randint(1, 3)):
        radius = unit * rng.uniform(0.03, 0.07)
        _card(canvas, ring((width * rng.uniform(0.1, 0.9), floor - radius), radius, radius), rng.choice(colors[:4]))
    texture = noise((width, height), rng, coarse=90, octaves=2).point(lambda v: 240 + v // 18)
    canvas.image = ImageChops.multiply(canvas.image, Image.merge("RGB", (texture,) * 3))


def _card(canvas: Canvas, outline: list[Point], color: Color) -> None:
    lift = canvas.unit * 0.012
    canvas.shape([(x + lift, y + lift * 1.2) for x, y in outline], canvas.palette.near, 0.35, lift * 0.8)
    canvas.shape(
        outline,
        blend(
            [mix(color, canvas.palette.light, 0.16), color, mix(color, canvas.palette.near, 0.12)], canvas.image.size
        ),
    )
