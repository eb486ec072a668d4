"""The examples of an empty gallery: prompts, each with a picture that example_pictures.py draws."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with a picture. name: of its file, without the ending."""

    name: str
    prompt: str

    @property
    def file(self) -> str:
        """The path of the picture below static/."""
        return f"examples/{self.name}.webp"


EXAMPLES: Sequence[Example] = (
    Example("lighthouse", "A lighthouse in fog at first light, long exposure, fine grain"),
    Example("pears", "Still life with pears and a copper kettle, window light from the left"),
    Example("city", "A futuristic city at sunset, seen from a tram stop in the rain"),
    Example("fox", "A fox between birches in the first snow, soft morning light"),
    Example("stars", "Stars over the desert, the Milky Way above a lonely tent"),
    Example("poppies", "A bouquet of poppies and ferns, botanical plate on old paper"),
)
