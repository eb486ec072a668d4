"""Cities: towers behind towers in the evening, lit windows, and sometimes water in front of them."""

from PIL import ImageDraw

from tasks.standin.drawing.canvas import Canvas, Point
from tasks.standin.drawing.land import mirror, sky
from tasks.standin.drawing.palette import Color, mix


def skyline(canvas: Canvas) -> None:
    """Draw a skyline in four layers: hazy far away, dark and full of lit windows nearby."""
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    water = canvas.says("river harbor harbour bay sea lake reflection rain") or rng.random() < 0.55
    ground = round(height * (rng.uniform(0.72, 0.8) if water else 1))
    sky(canvas, ground * 0.9, (width * rng.uniform(0.25, 0.75), ground * rng.uniform(0.42, 0.62)))
    for number in range(4):
        depth = number / 3
        color = mix(mix(palette.far, palette.sky[3], 0.5 * (1 - depth)), palette.near, depth * 0.92)
        _row(canvas, ground, depth, color)
        if depth < 1:
            canvas.wash(mix(palette.sky[3], palette.sky[2], 0.3), ground * 0.55, ground, 0.55 * (1 - depth))
    if water:
        mirror(canvas, ground)


def _row(canvas: Canvas, ground: int, depth: float, color: Color) -> None:
    rng, height = canvas.rng, canvas.height
    x = -canvas.unit * rng.uniform(0, 0.06)
    center = canvas.width * rng.uniform(0.3, 0.7)
    while x < canvas.width:
        wide = canvas.unit * (0.035 + 0.05 * depth) * rng.uniform(0.7, 1.6)
        near_center = max(0.0, 1 - abs(x - center) / (canvas.width * 0.45))
        tall = (
            height * (0.2 + 0.24 * near_center * (1 - 0.45 * depth) + rng.uniform(-0.05, 0.13)) * (1.12 - 0.38 * depth)
        )
        _tower(canvas, (x, ground - tall), (wide, tall), color, depth)
        x += wide * rng.uniform(0.85, 1.15 if depth < 0.6 else 1.4)


def _tower(canvas: Canvas, corner: Point, size: Point, color: Color, depth: float) -> None:
    rng, (x, y), (wide, tall) = canvas.rng, corner, size
    form = rng.random()
    if form < 0.16:
        top = [(x, y + wide * 0.4), (x + wide, y)]
    elif form < 0.3:
        top = [
            (x, y),
            (x + wide * 0.25, y - wide * 0.4),
            (x + wide * 0.46, y - wide * 0.5),
            (x + wide * 0.5, y - wide * 1.7),
            (x + wide * 0.54, y - wide * 0.5),
            (x + wide * 0.75, y - wide * 0.4),
            (x + wide, y),
        ]
    elif form < 0.5:
        step = wide * 0.2
        top = [
            (x, y + step * 2),
            (x + step, y + step * 2),
            (x + step, y),
            (x + wide - step, y),
            (x + wide - step, y + step * 2),
            (x + wide, y + step * 2),
        ]
    else:
        top = [(x, y), (x + wide, y)]
    bottom = y + tall + 1
    canvas.shape([*top, (x + wide, bottom), (x, bottom)], color)
    shade = mix(color, canvas.palette.near, 0.28)
    canvas.shape(
        [(x + wide * 0.68, y + wide * 0.5), (x + wide, y + wide * 0.5), (x + wide, bottom), (x + wide * 0.68, bottom)],
        shade,
        0.8,
    )
    if depth > 0.3:
        _windows(canvas, (x, y + wide * 0.5), (wide, tall - wide * 0.5), depth)


def _windows(canvas: Canvas, corner: Point, size: Point, depth: float) -> None:
    rng, palette = canvas.rng, canvas.palette
    columns, gap = rng.randint(3, 6), size[0] * rng.uniform(0.1, 0.16)
    step = (size[0] - gap * 2) / columns
    draw = ImageDraw.Draw(canvas.image)
    lit, rows = rng.uniform(0.12, 0.5), int(size[1] / (step * 1.5))
    for row in range(rows):
        floor_lit = lit * rng.choice([0.3, 1, 1.5])
        for column in range(columns):
            if rng.random() > floor_lit:
                continue
            left, top = corner[0] + gap + column * step, corner[1] + gap + row * step * 1.5
            color = mix(
                rng.choice([palette.light, palette.accents[1], palette.light, palette.accents[0]]),
                palette.near,
                rng.uniform(0.05, 0.5) * (1.3 - depth),
            )
            draw.rectangle((left, top, left + step * 0.55, top + step * 0.8), fill=color)
