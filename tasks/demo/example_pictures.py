"""`make examples`: draws the pictures of the examples of an empty gallery, which are in the repository."""

from pathlib import Path

from tasks.demo.examples import EXAMPLES
from tasks.settings import ROOT
from tasks.standin.drawing.picture import draw, encode

FOLDER = ROOT / "static" / "examples"
DRAWN, SIZE = (1024, 768), (256, 192)  # pixels of the picture, and of the file, which is shrunk from it
SEED, QUALITY = 1, 78


def write(folder: Path) -> None:
    """Draw the picture of each example into a folder."""
    folder.mkdir(exist_ok=True)
    for example in EXAMPLES:
        picture = draw(example.prompt, SEED, DRAWN).resize(SIZE)
        (folder / f"{example.name}.webp").write_bytes(encode(picture, "webp", QUALITY))


if __name__ == "__main__":
    write(FOLDER)
