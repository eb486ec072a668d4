"""The waveform of a sound, measured while it is decoded: how loud each of its 400 parts is.

Pillow finds the loudest sample of a window: it does so in C, and keeps numpy away.
"""

from array import array
from collections.abc import Iterator
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, cast

from PIL import Image

if TYPE_CHECKING:  # see decoder.py
    from av import AudioFrame

PARTS = 400  # peaks of a sound
WINDOW_SECONDS = 0.0025, 0.1  # seconds between which a window lies: a quarter of a part, as far as the length is known
ASSUMED_SECONDS = 30.0  # length of a sound that does not say it
SAMPLE_BYTES = 4  # of FFmpeg's s32


class Waveform:
    """Collects the peaks of frames in the order in which they are played. seconds: the expected duration, if known."""

    def __init__(self, seconds: float | None) -> None:
        import av

        shortest, longest = WINDOW_SECONDS
        self._window = min(max((seconds or ASSUMED_SECONDS) / PARTS / 4, shortest), longest)
        self._even = av.AudioResampler("s32")  # all channels side by side, at their own rate
        self._ends, self._peaks = array("q"), array("q")  # of windows: how many samples are over by then, the loudest
        self._samples = 0
        self._failed = False

    def add(self, frame: "AudioFrame") -> None:
        """Measure a frame."""
        import av

        if self._failed:
            return
        self._failed = True  # unless it succeeds: a sound may change its rate or layout, which no drawing can show
        with suppress(ValueError, av.error.FFmpegError):
            for even in self._even.resample(frame):
                for samples, peak in _windows(even, self._window):
                    self._samples += samples
                    self._ends.append(self._samples)
                    self._peaks.append(peak)
            self._failed = False

    def peaks(self) -> bytes | None:
        """Return PARTS peaks, in proportion to the loudest, which is 255; all are 0 when it is silent.

        Returns None when there are no samples, or frames that could not be measured.
        """
        if self._failed or not self._samples:
            return None
        parts, start = [0] * PARTS, 0
        for end, peak in zip(self._ends, self._peaks, strict=True):
            for part in range(start * PARTS // self._samples, ceil(end * PARTS / self._samples)):
                parts[part] = max(parts[part], peak)
            start = end
        loudest = max(parts) or 1
        return bytes(ceil(peak * 255 / loudest) for peak in parts)


def _windows(frame: "AudioFrame", seconds: float) -> Iterator[tuple[int, int]]:
    """Yield the number of samples of each window and its loudest sample in any channel, from 0 to 2**31."""
    wide = len(frame.layout.channels)
    content = memoryview(frame.planes[0])[: SAMPLE_BYTES * wide * frame.samples]  # the rest is padding
    step = max(1, round(frame.sample_rate * seconds))
    for start in range(0, frame.samples, step):
        samples = min(step, frame.samples - start)
        window = content[SAMPLE_BYTES * wide * start : SAMPLE_BYTES * wide * (start + samples)]
        extremes = Image.frombytes("I", (wide * samples, 1), window).getextrema()
        lowest, highest = cast(tuple[int, int], extremes)
        yield samples, max(highest, -lowest)
