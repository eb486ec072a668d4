"""How a file was made is written into it without changing what it shows, and is found again, whatever its bytes are."""

from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise
from struct import unpack
from typing import Any, TypeVar
from uuid import UUID
from xml.etree import ElementTree

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from tasks.files.xmp import files, packet
from tasks.files.xmp.packet import Imprint
from tasks.files.xmp.source import Edit, part_of, pieces, resulting_size
from tests.tasks import samples

pytestmark = pytest.mark.once

Result = TypeVar("Result")

MADE = Imprint(
    prompt='A red fox & a "blue" <owl>,\r\nin Tromsø 🦊 at dawn',
    model="stability-ai/sdxl",
    parameters={"width": 512, "negative_prompt": "]]> --", "go_fast": True, "image": None},
    job_id=UUID("019ab0c4-5d1e-7b36-9533-e50ac26d7632"),
    created_at=datetime(2026, 11, 22, 20, 15, 1, 42000, UTC),
    seed=7,
    rating=4,
    favorite=True,
)


def animation() -> bytes:
    file = BytesIO()
    frames = [Image.new("RGBA", (40, 30), (shade, 0, 0, 128)) for shade in (0, 90, 180)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


def glass(**options: Any) -> bytes:
    file = BytesIO()
    Image.new("RGBA", (41, 30), (200, 0, 0, 100)).save(file, "WEBP", **options)
    return file.getvalue()


def with_exif(form: str) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "described by its maker"
    return samples.picture(form=form, exif=exif)


PICTURES = {
    "png": samples.picture(),
    "png with alpha": samples.picture(mode="RGBA"),
    "png in 16 bits": samples.picture(mode="I;16"),
    "jpg": samples.picture(form="JPEG"),
    "jpg progressive": samples.picture(form="JPEG", progressive=True),
    "jpg with exif": with_exif("JPEG"),
    "webp": samples.picture(form="WEBP"),
    "webp of odd size": samples.picture(width=641, height=399, form="WEBP"),
    "webp lossless": samples.picture(form="WEBP", lossless=True),
    "webp lossless with alpha": glass(lossless=True),
    "webp with alpha": glass(),
    "webp with exif": with_exif("WEBP"),
    "webp animated": animation(),
}
FILM = samples.film()


def imprinted(content: bytes, extension: str, imprint: Imprint = MADE) -> bytes:
    edits = result_of(files.edits(imprint, extension, len(content), reading(content)))
    new = b"".join(
        piece if isinstance(piece, bytes) else content[slice(*piece)] for piece in pieces(len(content), edits)
    )
    assert len(new) == resulting_size(len(content), edits)
    return new


def found(content: bytes) -> Imprint | None:
    return result_of(files.find(len(content), reading(content)))


def result_of(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that waits for nothing.

    No event loop is started, because asyncio.run would leave the process without the tests' own loop.
    """
    try:
        coroutine.send(None)
    except StopIteration as ended:
        result: Result = ended.value
        return result
    raise AssertionError("it waits for something")


def reading(content: bytes) -> Any:
    async def read(start: int, end: int) -> bytes:
        assert 0 <= start <= end <= len(content)
        return content[start:end]

    return read


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_keeps_every_pixel_and_tells_how_it_was_made(name: str) -> None:
    content = PICTURES[name]
    new = imprinted(content, name.partition(" ")[0])
    assert found(content) is None
    assert found(new) == MADE
    with Image.open(BytesIO(content)) as before, Image.open(BytesIO(new)) as after:
        for frame in range(getattr(before, "n_frames", 1)):
            before.seek(frame)
            after.seek(frame)
            assert (after.size, after.mode) == (before.size, before.mode)
            assert after.tobytes() == before.tobytes()
        assert after.getexif() == before.getexif()
        assert b"Troms\xc3\xb8" in after.info["xmp"]


@pytest.mark.parametrize("name", PICTURES)
def test_an_imprint_takes_the_place_of_an_older_one(name: str) -> None:
    extension = name.partition(" ")[0]
    once = imprinted(PICTURES[name], extension)
    again = imprinted(imprinted(once, extension, replace(MADE, prompt="another")), extension)
    assert again == once


def test_others_read_the_prompt_as_the_description() -> None:
    with Image.open(BytesIO(imprinted(PICTURES["png"], "png"))) as picture:
        said = ElementTree.fromstring(picture.info["xmp"])
    assert said.findtext(".//{http://ns.adobe.com/xap/1.0/}CreatorTool") == "Darkroom"
    assert said.findtext(".//{http://ns.adobe.com/xap/1.0/}Rating") == "4"
    assert said.findtext(".//{http://ns.adobe.com/xap/1.0/}Label") == "Favorite"
    assert said.findtext(".//{http://ns.adobe.com/xap/1.0/}CreateDate") == "2026-11-22T20:15:01Z"
    description = said.find(".//{http://purl.org/dc/elements/1.1/}description")
    assert description is not None
    assert "".join(description.itertext()) == MADE.prompt.replace("\r\n", "\n")


def test_a_webp_says_truly_how_it_is_made_up() -> None:
    for name, flags in (("webp", 0x04), ("webp lossless with alpha", 0x14), ("webp animated", 0x16)):
        new = imprinted(PICTURES[name], "webp")
        assert new[12:16] == b"VP8X"
        assert new[20] == flags
        assert unpack("<I", new[4:8]) == (len(new) - 8,)
        width, height = (1 + int.from_bytes(new[at : at + 3], "little") for at in (24, 27))
        with Image.open(BytesIO(new)) as picture:
            assert picture.size == (width, height)


def test_a_film_keeps_its_bytes_and_its_frames() -> None:
    new = imprinted(FILM, "mp4")
    assert new.startswith(FILM), "nothing is moved: offsets hold, and a film that starts before it is there still does"
    assert found(new) == MADE
    assert frames(new) == frames(FILM)
    assert imprinted(imprinted(new, "mp4", replace(MADE, prompt="another")), "mp4") == new


def frames(film: bytes) -> list[bytes]:
    with av.open(BytesIO(film), "r") as container:
        return [bytes(frame.planes[0]) for frame in container.decode(video=0)]


def test_a_film_whose_last_part_has_no_end_is_left_alone() -> None:
    endless = FILM + b"\0\0\0\0mdat" + bytes(100)
    assert imprinted(endless, "mp4") == endless


@pytest.mark.parametrize("extension", ["gif", "webm", "txt", "svg", "bin"])
def test_what_has_no_place_for_it_is_left_alone(extension: str) -> None:
    assert imprinted(PICTURES["png"], extension) == PICTURES["png"]


def test_a_file_of_another_type_than_its_name_says_is_left_alone() -> None:
    for extension in ("png", "jpg", "webp", "mp4"):
        assert imprinted(samples.HTML, extension) == samples.HTML


# Imprints that are too large.


def test_what_does_not_fit_is_left_out_the_longest_first() -> None:
    long = replace(MADE, parameters={"image": "x" * 100_000, "mask": "y" * 50_000, "text": "z" * 40_000, "width": 512})
    new = imprinted(PICTURES["jpg"], "jpg", long)
    assert found(new) == replace(long, parameters={"text": "z" * 40_000, "width": 512})
    with Image.open(BytesIO(new)) as picture:
        picture.load()


@pytest.mark.parametrize("character", ["&", "é", "🦊", "\x01", "\ufffe", "<", '"', "\\", "\n"])
def test_the_longest_prompt_fits_whatever_is_in_it(character: str) -> None:
    long = replace(MADE, prompt=character * 10_000)
    assert len(packet.write(long)) <= packet.LARGEST
    assert packet.read(packet.write(long)) is not None
    assert found(imprinted(PICTURES["jpg"], "jpg", long)) in (long, replace(long, parameters={}))


# Arbitrary bytes.

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(prompt=st.text(max_size=200), parameters=st.dictionaries(st.text(max_size=10), VALUES, max_size=5))
@settings(max_examples=50, deadline=None)
def test_every_prompt_and_parameter_comes_back_as_it_was(prompt: str, parameters: dict[str, Any]) -> None:
    made = replace(MADE, prompt=prompt, parameters=parameters)
    assert packet.read(packet.write(made)) == made


@given(content=st.binary(max_size=300), head=st.sampled_from([b"", *(file[:40] for file in PICTURES.values()), FILM]))
@settings(max_examples=100, deadline=None)
def test_garbage_is_no_imprint(content: bytes, head: bytes) -> None:
    assert found(head + content) is None


def test_a_png_that_ends_within_its_imprint_is_left_alone() -> None:
    [(extension, whole)] = [(extension, content) for extension, content in WHOLE if extension == "png"][:1]
    within = whole.index(b"iTXt") + 4 + unpack(">I", whole[33:37])[0] + 2
    assert imprinted(whole[:within], extension) == whole[:within]


def test_a_webp_whose_header_lies_of_its_length_is_left_alone() -> None:
    extended = bytearray(imprinted(PICTURES["webp"], "webp"))
    assert extended[12:16] == b"VP8X"
    extended[16] = 0
    assert imprinted(bytes(extended), "webp") == extended


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damage_does_no_harm(data: st.DataObject) -> None:
    extension, content = data.draw(st.sampled_from(WHOLE))
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, min(len(content), 400) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    found(bytes(damaged))
    new = imprinted(bytes(damaged), extension)
    assert new == damaged or found(new) == MADE


WHOLE = [
    (extension, imprinted(content, extension))
    for extension, content in [
        *((name.partition(" ")[0], content) for name, content in PICTURES.items()),
        ("mp4", FILM),
    ]
]


@pytest.mark.parametrize(
    "said",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b"<x>" * 50_000,
        b'<x xmlns="%s"><made>{"prompt": 1}</made></x>' % packet.NAMESPACE.encode(),
        b'<made xmlns="%s">%s</made>' % (packet.NAMESPACE.encode(), b"[" * 100_000),
        b"\xff\xfe<\0x\0/\0>\0",
        b"",
    ],
)
def test_a_hostile_packet_tells_nothing(said: bytes) -> None:
    assert packet.read(said) is None


def test_the_short_form_that_other_programs_write_is_read_too() -> None:
    written = packet.write(replace(MADE, prompt="a fox")).decode()
    made = written.partition("<darkroom:made>")[2].partition("</darkroom:made>")[0].replace('"', "&quot;")
    short = f'<x xmlns:d="{packet.NAMESPACE}" d:made="{made}"/>'
    assert packet.read(short.encode()) == replace(MADE, prompt="a fox")


def test_little_is_looked_at_however_large_the_file_claims_to_be() -> None:
    looks: list[int] = []

    async def read(start: int, end: int) -> bytes:
        looks.append(end - start)
        return (b"\0\0\0\x08ftyp" * ((end - start) // 8 + 2))[start % 8 :][: end - start]

    assert result_of(files.find(2**40, read)) is None
    assert len(looks) < 250
    assert sum(looks) < 1_000_000


@given(st.data())
@settings(deadline=None)
def test_any_part_of_a_changed_file_is_that_part_of_the_whole(data: st.DataObject) -> None:
    old = bytes(range(50))
    cuts = sorted(data.draw(st.lists(st.integers(0, 50), max_size=6)))
    edits = [Edit(start, end, data.draw(st.binary(max_size=5))) for start, end in list(pairwise(cuts))[::2]]
    new = joined(pieces(50, edits), old)
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(new)), st.integers(0, len(new)))))
    assert joined(part_of(pieces(50, edits), start, end), old) == new[start:end]


def joined(some: Iterator[tuple[int, int] | bytes], old: bytes) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else old[slice(*piece)] for piece in some)
