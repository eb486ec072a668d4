"""Names that people give: of tags and of collections, as they are kept."""

MAX_TAG = 64  # characters
MAX_COLLECTION = 100  # characters


def tag_name(text: str) -> str:
    """A tag as it is kept: in lower case, with single spaces. Raises ValueError with a sentence for people."""
    return _checked(" ".join(text.lower().split()), "A tag", MAX_TAG)


def collection_name(text: str) -> str:
    """A collection's name as it is kept: with single spaces. Raises ValueError with a sentence for people."""
    return _checked(" ".join(text.split()), "A collection's name", MAX_COLLECTION)


def _checked(name: str, what: str, most: int) -> str:
    if not 1 <= len(name) <= most:
        raise ValueError(f"{what} has 1 to {most} characters.")
    if "," in name or '"' in name or not name.isprintable():  # searches could not name it
        raise ValueError(f"{what} has neither commas nor quotation marks.")
    return name
