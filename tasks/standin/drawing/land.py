"""Landscapes: mountains in haze, dunes, and woods at the edge of a lake."""

from math import exp, sin

from PIL import Image, ImageChops, ImageOps

from tasks.standin.drawing.canvas import Canvas, Point, blend, noise, ridge
from tasks.standin.drawing.palette import Color, mix


def sky(canvas: Canvas, horizon: float, sun: Point | None = None) -> Point:
    """Draw sky, clouds and sun down to the horizon. Returns the sun's position."""
    rng, palette = canvas.rng, canvas.palette
    canvas.gradient(palette.sky, 0, horizon * 1.02)
    x, y = sun or (canvas.width * rng.uniform(0.2, 0.8), horizon * rng.uniform(0.45, 0.85))
    canvas.glow((x, y), canvas.unit * rng.uniform(0.6, 0.9), palette.light, 0.75)
    canvas.clouds(mix(palette.light, palette.sky[2], 0.35), 0, horizon, rng.uniform(0.3, 0.55), 0.5, rng.uniform(3, 6))
    canvas.clouds(mix(palette.sky[0], palette.sky[1], 0.4), 0, horizon * 0.8, rng.uniform(0.2, 0.4), 0.3, 5)
    radius = canvas.unit * rng.uniform(0.035, 0.08)
    canvas.glow((x, y), radius * 4, palette.light, 0.8)
    canvas.disc((x, y), radius, mix(palette.light, (255, 255, 255), 0.35), 0.96)
    return x, y


def mountains(canvas: Canvas) -> None:
    """Draw ranges behind ranges, each paler than the one in front of it, with mist between them and birds above."""
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    horizon = height * rng.uniform(0.5, 0.66)
    sun = sky(canvas, horizon * 1.1)
    ranges = rng.randint(5, 7)
    shift = rng.uniform(0, 50)
    for number in range(ranges):
        depth = number / (ranges - 1)
        line = ridge(rng, 6, 0.52 - 0.1 * depth)
        base = horizon * 0.86 + (height * 1.02 - horizon) * depth**1.35
        tall = height * (0.2 - 0.1 * depth)
        wide = canvas.unit * (0.42 + 0.35 * depth)
        crest = [(x, base - tall * (0.35 + line(shift + x / wide))) for x in _steps(width)]
        color = mix(mix(palette.far, palette.sky[3], 0.45 * (1 - depth)), palette.near, depth**1.3)
        lit = mix(color, palette.light, 0.2 * (1 - depth))
        mist = mix(color, mix(palette.sky[3], palette.light, 0.3), 0.62 * (1 - depth) + 0.08)
        top, rest = min(y for _, y in crest), height * (0.1 + 0.06 * depth)
        paint = Image.new("RGB", canvas.image.size, mist)
        paint.paste(blend([lit, color, mix(color, mist, 0.5), mist], (width, round(tall + rest))), (0, round(top)))
        canvas.shape([*crest, (width, height), (0, height)], paint)
    canvas.glow(sun, canvas.unit * 0.5, palette.light, 0.22)
    _birds(canvas, horizon)


def dunes(canvas: Canvas) -> None:
    """Draw dunes behind dunes, each with a bright face and a shaded face that meet in a winding crest."""
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    horizon = height * rng.uniform(0.4, 0.54)
    sun = sky(canvas, horizon)
    side = 1 if sun[0] < width / 2 else -1
    count = rng.randint(5, 7)
    for number in range(count):
        depth = number / (count - 1)
        base = horizon + (height - horizon) * depth**1.5
        tall = height * (0.05 + 0.2 * depth) * rng.uniform(0.8, 1.2)
        wide = canvas.unit * (0.45 + 0.5 * depth) * rng.uniform(0.8, 1.3)
        peak = width * ((number * 0.618 + rng.uniform(0, 0.35)) % 1.1 - 0.05)
        sand = mix(mix(palette.far, palette.sky[3], 0.6 * (1 - depth)), palette.accents[0], 0.25 * depth)
        _dune(canvas, (peak, base), (wide, tall), side, sand)


def _dune(canvas: Canvas, at: Point, size: Point, side: int, sand: Color) -> None:
    (peak, base), (wide, tall) = at, size
    palette, width, height = canvas.palette, canvas.width, canvas.height
    wave = ridge(canvas.rng, 2, 0.3)

    def crest(x: float) -> Point:
        slope = abs(x - peak) / wide * (0.8 if (x - peak) * side > 0 else 1.15)
        return x, base - tall * exp(-(slope**1.5) * 1.6) - tall * 0.12 * wave(x / wide) * min(1, slope)

    top = max(0, round(base - tall * 1.1))
    bright, shaded = mix(sand, palette.light, 0.5), mix(sand, palette.near, 0.5)
    paint = Image.new("RGB", canvas.image.size, sand)
    paint.paste(blend([bright, sand, mix(sand, palette.near, 0.16)], (width, height - top)), (0, top))
    canvas.shape([*map(crest, _steps(width)), (width, height), (0, height)], paint)
    paint.paste(blend([shaded, mix(shaded, sand, 0.3), mix(shaded, sand, 0.75), sand], (width, height - top)), (0, top))
    drop = height - base + tall
    spine = [
        (peak - side * wide * (0.32 * k + 0.13 * sin(k * 5 + 0.6) * k), base - tall + drop * k**1.3)
        for k in (step / 24 for step in range(25))
    ]
    edge = width + 6 if side > 0 else -6
    away = [crest(peak + (edge - peak) * step / 90) for step in range(91)] if (edge - peak) * side > 0 else []
    if away:
        canvas.shape([*away, (edge, height + 6), *reversed(spine)], paint, 0.9)


def woods(canvas: Canvas) -> None:
    """Draw firs behind firs in the mist, and a lake in front that reflects them."""
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    shore = height * rng.uniform(0.62, 0.72)
    sky(canvas, shore)
    hills = ridge(rng, 5, 0.5)
    crest = [(x, shore - height * 0.2 - height * 0.13 * hills(x / canvas.unit * 1.7)) for x in _steps(width)]
    canvas.shape([*crest, (width, shore), (0, shore)], mix(palette.far, palette.sky[3], 0.4))
    for number in range(4):
        depth = number / 3
        color = mix(mix(palette.far, palette.sky[3], 0.25 * (1 - depth)), palette.near, 0.25 + 0.75 * depth)
        line = ridge(rng, 3, 0.5)
        x = -canvas.unit * 0.1
        while x < width * 1.05:
            tall = height * (0.1 + 0.13 * depth) * (0.75 + 0.5 * rng.random() + 0.4 * line(x / canvas.unit * 2))
            _fir(canvas, (x, shore + 2), tall, color)
            x += tall * rng.uniform(0.16, 0.4)
        canvas.wash(mix(palette.sky[3], palette.light, 0.3), shore - height * 0.16, shore, 0.55 * (1 - depth))
    mirror(canvas, shore)


def mirror(canvas: Canvas, shore: float) -> None:
    """Draw everything above the shore again below it: mirrored, darker, and broken by small waves."""
    width, height, top = canvas.width, canvas.height, round(shore)
    depth = height - top
    image = ImageOps.flip(canvas.image.crop((0, max(0, top - depth), width, top))).resize((width, depth))
    soft = image.resize((max(1, width // 2), max(1, depth // 10))).resize((width, depth), Image.Resampling.BICUBIC)
    image = Image.blend(image, soft, 0.6)
    tint = blend(
        [mix(canvas.palette.sky[2], canvas.palette.far, 0.3), mix(canvas.palette.sky[0], canvas.palette.near, 0.5)],
        image.size,
    )
    image = Image.blend(image, tint, 0.3)
    waves = noise((width, depth), canvas.rng, coarse=18, octaves=2, stretch=9).point(lambda v: max(0, v - 165) * 2)
    fade = blend([(40, 40, 40), (210, 210, 210)], (width, depth)).getchannel(0)
    image.paste(mix(canvas.palette.sky[3], canvas.palette.light, 0.4), (0, 0), ImageChops.multiply(waves, fade))
    canvas.image.paste(image, (0, top))


def _fir(canvas: Canvas, foot: Point, tall: float, color: Color) -> None:
    x, y = foot
    left: list[Point] = []
    right: list[Point] = []
    tiers = 9
    for tier in range(tiers):
        reach = tall * 0.2 * (tier + 0.6) / tiers * canvas.rng.uniform(0.75, 1.2)
        level = y - tall * (1 - tier / tiers)
        left += [(x - reach * 0.3, level), (x - reach, level + tall / tiers * 1.3)]
        right += [(x + reach * 0.3, level), (x + reach * canvas.rng.uniform(0.8, 1.1), level + tall / tiers * 1.3)]
    canvas.shape([(x, y - tall * 1.06), *right, (x, y), *reversed(left)], color)


def _birds(canvas: Canvas, horizon: float) -> None:
    rng = canvas.rng
    x, y = canvas.width * rng.uniform(0.2, 0.75), horizon * rng.uniform(0.15, 0.45)
    for _ in range(rng.choice([0, 5, 9])):
        bx, by = x + rng.gauss(0, canvas.unit * 0.07), y + rng.gauss(0, canvas.unit * 0.035)
        span = canvas.unit * rng.uniform(0.006, 0.013)
        lift = span * rng.uniform(0.3, 0.7)
        wing = [
            (bx - span, by - lift),
            (bx - span * 0.4, by - lift * 0.9),
            (bx, by),
            (bx + span * 0.4, by - lift * 0.9),
            (bx + span, by - lift),
        ]
        canvas.shape([*wing, (bx, by + span * 0.22)], mix(canvas.palette.near, canvas.palette.sky[1], 0.25), 0.85)


def _steps(width: int, step: int = 3) -> list[int]:
    return [*range(-step, width + step, step), width + step]
