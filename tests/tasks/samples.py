"""Real files for tests: pictures by Pillow, films and sounds by PyAV, and what is only dressed up as such."""

import wave
from io import BytesIO

import av
from PIL import Image

SVG = b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
HTML = b"<!DOCTYPE html><html><body>Service unavailable</body></html>"


def picture(width: int = 640, height: int = 400, form: str = "PNG", mode: str = "RGB", **options: object) -> bytes:
    """A smooth gradient."""
    file = BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert(mode).save(file, form, **options)
    return file.getvalue()


def film(width: int = 320, height: int = 180, seconds: int = 2, form: str = "mp4", codec: str = "h264") -> bytes:
    """A film of 10 frames a second that begins black and is white from its fifth percent on."""
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


def sound(seconds: float = 1.5) -> bytes:
    """Silence as WAV."""
    file = BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(bytes(int(2 * 8000 * seconds)))
    return file.getvalue()
