"""Normalize and check the names that users give to tags and collections."""

MAX_TAG_LENGTH = 64  # characters
MAX_COLLECTION_LENGTH = 100  # characters


def tag_name(text: str) -> str:
    """Return a tag as it is stored: in lower case, with single spaces. Raises ValueError with a sentence for users."""
    return _checked(" ".join(text.lower().split()), "A tag", MAX_TAG_LENGTH)


def collection_name(text: str) -> str:
    """Return a collection's name as it is stored: with single spaces. Raises ValueError with a sentence for users."""
    return _checked(" ".join(text.split()), "A collection name", MAX_COLLECTION_LENGTH)


def _checked(name: str, what: str, most: int) -> str:
    if not 1 <= len(name) <= most:
        raise ValueError(f"{what} must have 1 to {most} characters.")
    if "," in name or '"' in name or not name.isprintable():  # a search could not name it
        raise ValueError(f"{what} cannot contain commas or quotation marks.")
    return name
