"""Browsers of the web tests: each has cookies of its own, and a connection that comes from an address."""

import httpx

from tests.webapp.raw import app_of
from webapp.http.direct_peer import NotedPeer

PAGES = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def browser(
    web: httpx.AsyncClient, address: str = "http://darkroom.test", peer: str = "127.0.0.1", proxies: str = ""
) -> httpx.AsyncClient:
    """Return a client that keeps its cookies and accepts pages.

    address: that of Darkroom, with its scheme. peer: where the connection comes from. proxies: as TRUSTED_PROXIES.
    """
    transport = httpx.ASGITransport(NotedPeer(app_of(web), proxies), client=(peer, 9))
    return httpx.AsyncClient(transport=transport, base_url=address, headers=PAGES)
