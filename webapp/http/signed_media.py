"""Files read by a signed address, without a key: the clients of other APIs do not send theirs where a file is."""

from urllib.parse import parse_qsl

from litestar.types import HTTPScope

from tasks.accounts import signed_addresses

PATH, PREFIX = "/media/{key}", "/media/"


async def admits(scope: HTTPScope) -> bool:
    """Return whether a request reads a file by a signed address, as it is: a download says more than the file."""
    if scope["path_template"] != PATH or scope["method"] not in ("GET", "HEAD"):
        return False
    given = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    if given.keys() != {"expires", "signature"}:
        return False
    key = scope["path"].removeprefix(PREFIX)
    return await signed_addresses.is_valid(key, given["expires"], given["signature"])
