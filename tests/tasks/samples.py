"""Real files for tests: pictures by Pillow, films and sounds by PyAV, and files that only look like these."""

import random
import wave
from io import BytesIO
from tempfile import NamedTemporaryFile

import av
from PIL import Image

SVG = b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
HTML = b"<!DOCTYPE html><html><body>Service unavailable</body></html>"


def picture(width: int = 640, height: int = 400, form: str = "PNG", mode: str = "RGB", **options: object) -> bytes:
    """Return a picture with a smooth gradient."""
    file = BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert(mode).save(file, form, **options)
    return file.getvalue()


def film(width: int = 320, height: int = 180, seconds: int = 2, form: str = "mp4", codec: str = "h264") -> bytes:
    """Return a film of 10 frames per second that is black at first, and white from its fifth percent on."""
    file = BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=10, width=width, height=height, pix_fmt="yuv420p")
        assert isinstance(stream, av.VideoStream)
        for number in range(10 * seconds):
            shade = 0 if number < seconds / 2 else 255
            frame = av.VideoFrame.from_image(Image.new("L", (width, height), shade).convert("RGB"))  # type: ignore[no-untyped-call]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def moov_first(content: bytes) -> bytes:
    """Return the same MP4 with its index before its pictures and sounds, as it is made for the web."""
    with NamedTemporaryFile() as file, av.open(BytesIO(content), "r") as source:
        with av.open(file.name, "w", format="mp4", options={"movflags": "faststart"}) as copy:
            [stream] = source.streams
            into = copy.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = into
                    copy.mux(packet)
        return file.read()


def animation(form: str, frames: int = 10) -> bytes:
    """Return an animation with `frames` frames of noise, which no codec compresses well."""
    chance, file = random.Random(form), BytesIO()
    first, *others = [Image.frombytes("L", (60, 40), chance.randbytes(2400)).convert("RGB") for _ in range(frames)]
    first.save(file, form, save_all=True, append_images=others, duration=50)
    return file.getvalue()


def noise(form: str, codec: str, **options: str) -> bytes:
    """Return three seconds of stereo noise, which no codec compresses well. options: of the container."""
    file, chance = BytesIO(), random.Random(codec)
    with av.open(file, "w", format=form, options=options) as container:
        stream = container.add_stream(codec, rate=48_000, layout="stereo", options={"strict": "experimental"})
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.open(strict=False)
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.codec_context.format.name, "stereo", 48_000, size)
        frame = av.AudioFrame("s16", "stereo", 48_000 * 3)
        frame.sample_rate = 48_000
        frame.planes[0].update(chance.randbytes(4 * 48_000 * 3))
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def sound(seconds: float = 1.5) -> bytes:
    """Return silence as WAV."""
    file = BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(bytes(int(2 * 8000 * seconds)))
    return file.getvalue()
