"""Long requests whose client may go away before the response: then nobody is left to wait for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar import Request

Result = TypeVar("Result")


async def while_connected(request: Request[Any, Any, Any], work: Coroutine[Any, Any, Result]) -> Result | None:
    """Return what the work returns, or None when the client goes away first: the work is then canceled.

    The body of the request must have been read.
    """
    done, gone = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
        return done.result() if done.done() else None
    finally:
        done.cancel()
        gone.cancel()


async def _gone(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
