"""The waveform of a sound as the path of an SVG: a stroke for each bar, as high as its part is loud."""

from base64 import b64decode
from functools import lru_cache

HEIGHT = 64  # of the drawing; it is as wide as it has bars


@lru_cache(maxsize=512)  # each card has two, and is rendered again and again
def path(peaks: str | None, bars: int) -> str:
    """Return the `d` of a path in a view box of `bars` by HEIGHT. Without peaks, it is one straight line.

    peaks: as in the database.
    """
    if not peaks:
        return f"M0 {HEIGHT // 2}h{bars}"
    levels = b64decode(peaks)
    steps, at = [], HEIGHT // 2
    for bar in range(bars):
        first, last = bar * len(levels) // bars, (bar + 1) * len(levels) // bars
        half = max(1, round(max(levels[first : max(last, first + 1)]) * HEIGHT / 2 / 255))
        steps.append(f"m{'1 ' if bar else '.5 '}{HEIGHT // 2 - half - at}v{2 * half}".replace(" -", "-"))
        at = HEIGHT // 2 + half
    return f"M0 {HEIGHT // 2}{''.join(steps)}"
