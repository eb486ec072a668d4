"""A short film from a prompt: the camera moves slowly over a picture."""

from io import BytesIO
from math import cos, pi
from random import Random

import av
from PIL import Image, ImageOps

from tasks.standin.drawing.picture import draw

FRAMES_PER_SECOND = 24
SECONDS = 2.5
MARGIN = 1.3  # how much larger than a frame the picture is


def film(prompt: str, seed: int, size: tuple[int, int], first: Image.Image | None = None) -> bytes:
    """Return an MP4 (H.264, yuv420p). size: even numbers of pixels. first: the picture to start from, if any."""
    large = round(size[0] * MARGIN), round(size[1] * MARGIN)
    picture = ImageOps.fit(first.convert("RGB"), large) if first else draw(prompt, seed, large)
    frames = round(FRAMES_PER_SECOND * SECONDS)
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        # The bytes must always be the same: hence one thread, and no mbtree, which was measured to vary between runs.
        options = {"preset": "veryfast", "crf": "21", "threads": "1", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number, box in enumerate(_move(Random(seed), large, frames)):
            frame = av.VideoFrame.from_image(picture.resize(size, Image.Resampling.BICUBIC, box=box))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _move(chance: Random, size: tuple[int, int], frames: int) -> list[tuple[float, float, float, float]]:
    """Return the part of the picture that each frame shows: a pan with a slow zoom that starts and ends gently."""
    width, height = size
    start, end = (
        (chance.uniform(0, 0.35), chance.uniform(0.2, 0.8)),
        (chance.uniform(0.65, 1), chance.uniform(0.2, 0.8)),
    )
    if chance.random() < 0.5:
        start, end = end, start
    wide, narrow = 0.97, 0.84
    boxes = []
    for number in range(frames):
        part = 0.5 - 0.5 * cos(pi * number / (frames - 1))
        share = wide + (narrow - wide) * part
        left = (1 - share) * width * (start[0] + (end[0] - start[0]) * part)
        top = (1 - share) * height * (start[1] + (end[1] - start[1]) * part)
        boxes.append((left, top, left + share * width, top + share * height))
    return boxes
