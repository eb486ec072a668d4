"""Detects files that were cut short, by comparing the end that their container states with their bytes.

When the container does not state it, the answer is no: the writer of a stream does not know its length yet.
Truncation that only decoding reveals is not detected here.
"""

import mmap
from collections.abc import Callable
from struct import unpack_from

LONGEST_RIFF = 2**30  # bytes; a larger size was written by a program that did not know it
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
TOLERATED_FRAMES = 4  # frames of an MP3: some encoders count the header frame, and silence is left out at both ends


def is_cut(content: mmap.mmap, reader: str) -> bool:
    """Return whether the bytes end before the container does. reader: Pillow's or FFmpeg's name of its reader."""
    ask = CONTAINERS.get(reader)
    return ask is not None and ask(content)


def lacks_sound(content: mmap.mmap, reader: str, packets: int, samples: int) -> bool:
    """Return whether a sound has less than its header counts. packets, samples: how many could be decoded."""
    if reader == "mp3":
        return packets < _frames_of_mp3(content) - TOLERATED_FRAMES
    return reader == "flac" and samples < _samples_of_flac(content)


def _boxes_are_cut(content: mmap.mmap) -> bool:
    """Return whether an MP4 or similar file is cut short.

    It is a sequence of boxes, each with its size (ISO/IEC 14496-12, 4.2).
    """
    at = 0
    while at + 16 <= len(content):
        size, name = unpack_from(">I4s", content, at)
        if size == 1:
            (size,) = unpack_from(">Q", content, at + 8)
        if size < 8 or not name.isalnum():  # 0: up to the end of the file. Otherwise it is not a box
            return False
        at += size
    return at > len(content)


def _segment_is_cut(content: mmap.mmap) -> bool:
    """Return whether a Matroska or WebM file is cut short.

    It is a header, then one element with everything (RFC 8794, 6; RFC 9559, 4.5).
    """
    header, start = _element(content, 0, EBML)
    size, start = _element(content, start + header, SEGMENT)
    return start + size > len(content)


def _element(content: mmap.mmap, at: int, name: bytes) -> tuple[int, int]:
    """Return the size and start of an EBML element's content. The size is 0 for another element or an unknown size."""
    if content[at : at + 4] != name or at + 12 > len(content):
        return 0, at
    length = 9 - content[at + 4].bit_length()
    start, unknown = at + 4 + length, 2 ** (7 * length) - 1
    size = int.from_bytes(content[at + 4 : start], "big") & unknown
    return 0 if size == unknown else size, start


def _riff_is_cut(content: mmap.mmap) -> bool:
    """Return whether a WAV or AVI file is cut short.

    Its size is at the start. It leaves out eight bytes, unless its writer did not know that.
    """
    return len(content) < int.from_bytes(content[4:8], "little") < LONGEST_RIFF


def _pages_are_cut(content: mmap.mmap) -> bool:
    """Return whether the last page of an Ogg file is incomplete (RFC 3533, 6).

    Not every writer marks the last page as the last.
    """
    at = content.rfind(b"OggS")
    if at < 0 or at + 27 > len(content):
        return True
    segments = content[at + 27 : at + 27 + content[at + 26]]
    return at + 27 + content[at + 26] + sum(segments) > len(content)


def _picture_is_cut(content: mmap.mmap) -> bool:
    """Return whether a PNG lacks its last chunk, which only marks the end."""
    return content.rfind(b"IEND") < 0


CONTAINERS: dict[str, Callable[[mmap.mmap], bool]] = {
    "mov": _boxes_are_cut,
    "matroska": _segment_is_cut,
    "wav": _riff_is_cut,
    "avi": _riff_is_cut,
    "ogg": _pages_are_cut,
    "PNG": _picture_is_cut,
}
"""The check for each reader. All other readers detect truncation by themselves, or cannot know."""


def _frames_of_mp3(content: mmap.mmap) -> int:
    """Return how many frames an MP3's first frame states, as encoders of Xing, LAME and Fraunhofer write it, or 0."""
    start = 0
    if content[:3] == b"ID3":
        start = 10 + sum(byte << 7 * place for place, byte in enumerate(reversed(content[6:10])))
    head = content[start : start + 2048]
    for name in (b"Xing", b"Info"):
        at = head.find(name)
        if 0 <= at < len(head) - 12 and head[at + 7] & 1:
            return int.from_bytes(head[at + 8 : at + 12], "big")
    at = head.find(b"VBRI")
    return int.from_bytes(head[at + 14 : at + 18], "big") if at >= 0 else 0


def _samples_of_flac(content: mmap.mmap) -> int:
    """Return how many samples per channel a FLAC states (RFC 9639, 8.2)."""
    at = content.find(b"fLaC")
    return int.from_bytes(content[at + 21 : at + 26], "big") & (2**36 - 1) if at >= 0 else 0
