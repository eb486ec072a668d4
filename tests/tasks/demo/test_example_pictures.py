"""The examples of an empty gallery: their pictures are in the repository, small, and what the stand-in draws."""

from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from tasks.demo.example_pictures import FOLDER, SIZE, write
from tasks.demo.examples import EXAMPLES, Example

MAX_BYTES = 12_000


def test_the_folder_has_a_picture_for_each_example_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{example.name}.webp" for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_its_picture_is_small(example: Example) -> None:
    path = FOLDER.parent / example.file
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("WEBP", SIZE)
    assert path.stat().st_size < MAX_BYTES


def test_the_pictures_are_those_that_the_command_draws(tmp_path: Path) -> None:
    write(tmp_path)
    for example in EXAMPLES:
        with Image.open(FOLDER.parent / example.file) as kept, Image.open(tmp_path / f"{example.name}.webp") as drawn:
            apart = ImageStat.Stat(ImageChops.difference(kept.convert("RGB"), drawn.convert("RGB")))
        assert max(apart.mean) < 3, example.name  # encoders differ a little
