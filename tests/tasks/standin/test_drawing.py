"""Pictures, films and sounds: real files, and the same ones for the same input."""

from io import BytesIO
from wave import open as open_wave

import av
import pytest
from PIL import Image, ImageStat

from tasks.standin.drawing.film import film
from tasks.standin.drawing.picture import MOTIFS, draw, encode, redraw
from tasks.standin.drawing.sound import sound

SMALL = (96, 64)


@pytest.mark.parametrize("words", [words for words, _ in MOTIFS])
def test_every_motif_is_the_same_again_for_the_same_prompt_and_seed(words: str) -> None:
    prompt = words.split()[0]
    first = draw(prompt, 7, SMALL)
    assert first.size == SMALL
    assert first.tobytes() == draw(prompt, 7, SMALL).tobytes()
    assert first.tobytes() != draw(prompt, 8, SMALL).tobytes()
    assert max(ImageStat.Stat(first).stddev) > 8, "a picture, not a plain colour"


@pytest.mark.parametrize("size", [(16, 16), (8, 200), (513, 77), (1700, 1200)])
def test_pictures_have_the_size_that_was_asked_for(size: tuple[int, int]) -> None:
    assert draw("mountains", 1, size).size == size


def test_different_prompts_look_different() -> None:
    pictures = {draw(prompt, 1, SMALL).tobytes() for prompt in ("a sea", "a city", "a flower", "x", "y", "z")}
    assert len(pictures) == 6


def test_colour_words_steer_the_colours() -> None:
    red, _, blue = ImageStat.Stat(draw("a red mountain", 3, SMALL)).mean
    assert red > blue * 1.2
    red, _, blue = ImageStat.Stat(draw("a blue mountain", 3, SMALL)).mean
    assert blue > red


@pytest.mark.parametrize(("extension", "form"), [("webp", "WEBP"), ("jpg", "JPEG"), ("png", "PNG")])
def test_files_are_what_their_names_say(extension: str, form: str) -> None:
    picture = Image.open(BytesIO(encode(draw("a sea", 1, SMALL), extension, 80)))
    assert (picture.format, picture.size) == (form, SMALL)


def test_a_redrawn_picture_keeps_the_given_one_recognizable() -> None:
    given = Image.new("RGB", (64, 64), "white")
    given.paste("black", (0, 0, 32, 64))
    redrawn = redraw(given, "a sea", 1, (64, 64)).convert("L")
    left, right = (ImageStat.Stat(redrawn.crop(box)).mean[0] for box in ((0, 0, 32, 64), (32, 0, 64, 64)))
    assert right > left + 80
    assert redrawn.tobytes() != given.convert("L").tobytes()


def test_a_film_is_h264_and_the_same_again() -> None:
    content = film("a sea", 5, (96, 64))
    with av.open(BytesIO(content)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.frames) == (96, 64, 60)
    assert content == film("a sea", 5, (96, 64))


def test_a_wav_has_the_length_and_channels_that_were_asked_for() -> None:
    content = sound("a calm harp", 5, 1.5, "wav", 2)
    with open_wave(BytesIO(content)) as reader:
        assert reader.getnchannels() == 2
        assert reader.getnframes() == 1.5 * reader.getframerate()
        assert len(set(reader.readframes(reader.getnframes()))) > 100, "not silence"
    assert content == sound("a calm harp", 5, 1.5, "wav", 2)


def test_an_mp3_is_an_mp3() -> None:
    with av.open(BytesIO(sound("a calm harp", 5, 1, "mp3", 1))) as container:
        assert container.streams.audio[0].codec_context.name.startswith("mp3")
