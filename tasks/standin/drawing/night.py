"""Night skies: stars, the Milky Way or northern lights, and dark land below."""

from math import sin

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tasks.standin.drawing.canvas import Canvas, Point, blend, noise, ridge
from tasks.standin.drawing.palette import Color, mix

DEEP: tuple[Color, Color] = ((6, 9, 26), (20, 32, 66))


def night(canvas: Canvas) -> None:
    """Draw a clear night. The palette colors the lights; the sky itself is always dark."""
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    low = mix(mix(palette.sky[1], palette.sky[2], 0.4), DEEP[1], 0.35)
    canvas.gradient(
        [DEEP[0], mix(DEEP[1], palette.sky[0], 0.3), mix(DEEP[1], palette.sky[1], 0.5), low], 0, height * 0.9
    )
    aurora = canvas.says("aurora northern borealis arctic") or rng.random() < 0.4
    if aurora:
        _aurora(canvas)
    else:
        _milky_way(canvas)
    _stars(canvas, 320 if aurora else 620)
    if canvas.says("moon") or rng.random() < 0.35:
        at = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.14, 0.34)
        canvas.glow(at, canvas.unit * 0.3, palette.light, 0.5)
        canvas.disc(at, canvas.unit * 0.052, palette.light)
        canvas.disc(
            (at[0] - canvas.unit * 0.016, at[1] + canvas.unit * 0.01),
            canvas.unit * 0.016,
            mix(palette.light, palette.sky[1], 0.25),
            0.5,
            2,
        )
    _land(canvas)


def _milky_way(canvas: Canvas) -> None:
    rng, palette, size = canvas.rng, canvas.palette, canvas.image.size
    wide, high = size[0] * 2, size[1] * 2
    dust = noise((wide // 4, high // 4), rng, coarse=5, octaves=5, stretch=2)
    band = blend(
        [(0, 0, 0), (0, 0, 0), (120, 120, 120), (255, 255, 255), (120, 120, 120), (0, 0, 0), (0, 0, 0)], dust.size
    )
    band = ImageChops.multiply(dust, band.getchannel(0)).rotate(
        rng.choice([-1, 1]) * rng.uniform(35, 65), Image.Resampling.BILINEAR
    )
    left, top = band.width // 4, band.height // 4
    band = band.crop((left, top, left + band.width // 2, top + band.height // 2)).resize(size, Image.Resampling.BICUBIC)
    canvas.image.paste(mix(palette.accents[0], palette.sky[2], 0.5), (0, 0), band.point(lambda v: round(v * 0.75)))
    canvas.image.paste(
        mix(palette.light, palette.accents[1], 0.3), (0, 0), band.point(lambda v: round(max(0, v - 70) * 1.1))
    )


def _aurora(canvas: Canvas) -> None:
    rng, palette, (width, height) = canvas.rng, canvas.palette, canvas.image.size
    colors = [
        (96, 214, 160),
        mix((96, 214, 160), palette.accents[2], 0.5),
        mix(palette.accents[3], palette.sky[1], 0.3),
    ]
    for number, color in enumerate(colors[: rng.randint(2, 3)]):
        curtain = Image.new("L", (width // 4, height // 4))
        draw = ImageDraw.Draw(curtain)
        line, light = ridge(rng, 2, 0.4), ridge(rng, 5, 0.75)
        base, tall = height / 4 * rng.uniform(0.5, 0.7), height / 4 * rng.uniform(0.3, 0.5)
        for x in range(curtain.width):
            y = base + height / 4 * 0.14 * line(x / curtain.width * 2.4 + number)
            bright = 0.5 + 0.5 * light(x / curtain.width * 9)
            for part in range(28):
                level = part / 28
                ink = round(max(0.0, bright) * 215 * (1 - level) ** 1.7 * min(1, level * 9 + 0.2))
                draw.line((x, y - tall * level, x, y - tall * (level + 0.05)), fill=ink)
        curtain = curtain.filter(ImageFilter.GaussianBlur(1.6)).resize((width, height), Image.Resampling.BICUBIC)
        canvas.image.paste(color, (0, 0), curtain)


def _stars(canvas: Canvas, count: int) -> None:
    rng, palette = canvas.rng, canvas.palette
    tints = [
        (255, 255, 255),
        palette.light,
        mix(palette.accents[0], (255, 255, 255), 0.6),
        mix(palette.accents[1], (255, 255, 255), 0.6),
    ]
    draw = ImageDraw.Draw(canvas.image)
    for _ in range(count):
        x, y = rng.random() * canvas.width, rng.random() ** 1.2 * canvas.height * 0.9
        bright = rng.random() ** 4
        tint = mix(canvas.palette.sky[1], rng.choice(tints), 0.35 + 0.65 * bright)
        radius = canvas.unit * (0.0005 + 0.0017 * bright)
        if bright > 0.86:
            canvas.glow((x, y), radius * 9, tint, 0.6)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tint)


def _land(canvas: Canvas) -> None:
    rng, palette, width, height = canvas.rng, canvas.palette, canvas.width, canvas.height
    dark = mix(DEEP[0], palette.near, 0.5)
    canvas.wash(mix(palette.sky[2], DEEP[1], 0.4), height * 0.5, height, 0.5)
    for depth in (0, 1):
        line = ridge(rng, 6, 0.5)
        base, tall = height * (0.86 + 0.08 * depth), height * (0.16 - 0.07 * depth)
        crest: list[Point] = [(x, base - tall * (0.4 + line(x / canvas.unit * 1.6))) for x in range(-3, width + 6, 3)]
        canvas.shape(
            [*crest, (width, height), (0, height)], mix(mix(palette.sky[1], DEEP[1], 0.6), dark, 0.35 + 0.65 * depth)
        )
        if depth and rng.random() < 0.6:
            for x, y in crest[:: rng.randint(3, 6)]:
                tree = height * rng.uniform(0.015, 0.05) * (1.2 + sin(x / width * 9))
                half = tree * 0.2
                canvas.shape([(x - half, y + 4), (x, y - tree), (x + half, y + 4)], dark)
