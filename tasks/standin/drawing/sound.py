"""A short piece of music from a prompt: plucked strings over soft chords."""

import wave
from array import array
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from math import pi, sin
from operator import add
from random import Random

import av

RATE = 32_000  # samples a second, as in MusicGen
LONGEST = 8.0  # seconds
SCALES = [[0, 2, 4, 7, 9], [0, 3, 5, 7, 10], [0, 2, 3, 7, 8], [0, 2, 5, 7, 9]]
CHORDS = [[0, 4, 1, 3], [0, 3, 4, 0], [0, 2, 3, 4], [4, 3, 0, 1]]


def sound(prompt: str, seed: int, seconds: float, extension: str, channels: int) -> bytes:
    """Return music as wav or mp3, `seconds` long (8 at most), in one or two channels."""
    music = _compose(Random(sha256(f"{prompt}\0{seed}".encode()).digest()), max(1.0, min(seconds, LONGEST)))
    sides = [music] if channels == 1 else [music, [0.0] * 400 + music[:-400]]  # a delay of 12 ms sounds wide
    samples = array("h", bytes(2 * channels * len(music)))
    for number, side in enumerate(sides):
        samples[number::channels] = array("h", [round(value * 32_000) for value in side])
    return _wav(samples, channels) if extension == "wav" else _mp3(samples, channels)


def _compose(chance: Random, seconds: float) -> list[float]:
    length = int(seconds * RATE)
    music = [0.0] * (length + 3 * RATE)
    scale, chords = chance.choice(SCALES), chance.choice(CHORDS)
    root, beat = chance.choice([98.0, 110.0, 123.47, 130.81]), chance.choice([0.25, 0.3, 0.36])
    pattern = [chance.randrange(9) for _ in range(8)]
    for step in range(int(seconds / beat)):
        degree = chords[step // 8 % 4]
        if step % 8 == 0:
            _mix(music, step * beat, _chord([_pitch(root, scale, degree + third) for third in (0, 2, 4)], beat * 8))
        if step % 2 == 0 or chance.random() < 0.6:
            pitch = _pitch(root * 2, scale, degree + pattern[step % 8])
            _mix(music, step * beat, _pluck(chance, pitch, min(2.2, seconds)))
    loudest = max(map(abs, music[:length])) or 1.0
    fade = RATE // 3
    ending = [1.0] * (length - fade) + [1 - place / fade for place in range(fade)]
    return [value / loudest * 0.85 * level for value, level in zip(music, ending, strict=False)]


def _pitch(root: float, scale: Sequence[int], degree: int) -> float:
    octave, step = divmod(degree, len(scale))
    return root * 2 ** (octave + scale[step] / 12)


def _pluck(chance: Random, pitch: float, seconds: float) -> list[float]:
    """Return a plucked string (the Karplus-Strong algorithm): noise that is averaged again and again."""
    period = [chance.uniform(-1, 1) for _ in range(max(2, round(RATE / pitch)))]
    period = [(a + b) / 2 for a, b in zip(period, period[1:] + period[:1], strict=True)]
    note: list[float] = []
    while len(note) < seconds * RATE:
        note += period
        period = [(a + b) * 0.4985 for a, b in zip(period, period[1:] + period[:1], strict=True)]
    return note


def _chord(pitches: Sequence[float], seconds: float) -> list[float]:
    """Return a soft chord that swells and fades."""
    length = int(seconds * RATE * 1.15)
    swell = [0.11 * sin(pi * place / length) for place in range(length)]
    turns = [2 * pi * pitch / RATE for pitch in pitches]
    a, b, c = turns
    return [level * (sin(a * n) + sin(b * n) + sin(c * n)) for n, level in enumerate(swell)]


def _mix(music: list[float], at: float, note: Sequence[float]) -> None:
    start = int(at * RATE)
    music[start : start + len(note)] = map(add, music[start : start + len(note)], note)


def _wav(samples: "array[int]", channels: int) -> bytes:
    file = BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def _mp3(samples: "array[int]", channels: int) -> bytes:
    file = BytesIO()
    with av.open(file, "w", format="mp3") as target:
        stream = target.add_stream("libmp3lame", rate=RATE, layout="stereo" if channels == 2 else "mono")
        stream.bit_rate = 128_000
        with av.open(BytesIO(_wav(samples, channels)), "r") as source:
            for frame in source.decode(audio=0):
                target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return file.getvalue()
