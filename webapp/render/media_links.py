"""Addresses of media files, for templates."""

from tasks.files import input_files, uploads
from tasks.files.media_types import MEDIA_TYPES


def preview(address: str) -> str | None:
    """Return the address of the preview of one of our files, if it has one."""
    key = input_files.key_of(address)
    media = MEDIA_TYPES.get(key.rpartition(".")[2]) if key else None
    return f"/media/{uploads.preview_key(key)}" if key and media and media.visible else None
