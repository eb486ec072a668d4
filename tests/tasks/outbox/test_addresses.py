"""Addresses that events are sent to: what is one, whose it is, and what is shown of it."""

import pytest

from tasks.outbox import addresses
from tasks.settings import Settings

pytestmark = pytest.mark.once

OURS = Settings(host="0.0.0.0", port=8000, public_url="https://darkroom.example.org", allowed_hosts="nas.lan")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org", "http://example.org:8080/hook?token=1", "https://anna:secret@example.org/", "HTTPS://EXAMPLE.ORG/A",
        "https://b\u00fccher.example.org/\u00fc", "http://[2606:4700::1111]/", "http://8.8.8.8/", "https://darkroom.example.org:8443/",
        "http://nas.lan:8001/", "http://127.0.0.1:8001/",
    ],
)  # fmt: skip
def test_a_url_can_be_sent_to(url: str) -> None:
    assert addresses.fault(url, OURS) is None


@pytest.mark.parametrize(
    "url",
    [
        None, 5, [], "", "example.org", "ftp://example.org", "https://", "https:///hook", "http://exa mple.org",
        "http://a/\n", "http://a/\0", "http://a/\ud800", "http://[::1", "http://a:0/", "http://a:65536/",
        "http://xn--zz--/", "javascript:alert(1)",
        "http://" + "a" * 254, "https://example.org/" + "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_url_of_the_web_cannot(url: object) -> None:
    fault = addresses.fault(url, OURS)
    assert fault is not None
    assert "must be" in fault


@pytest.mark.parametrize(
    "url",
    [
        "https://darkroom.example.org/generate", "https://Darkroom.Example.org.:443/", "http://nas.lan:8000/", "http://127.0.0.1:8000/",
        "http://127.8.8.8:8000/", "http://[::1]:8000/", "http://localhost:8000/", "http://a.localhost:8000/", "http://0.0.0.0:8000/",
    ],
)  # fmt: skip
def test_what_is_this_darkroom_cannot_be_sent_to(url: str) -> None:
    assert addresses.fault(url, OURS) == "The address is this Darkroom itself."


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/hook", "https://example.org/hook"),
        ("https://example.org/hook?token=secret", "https://example.org/hook?…"),
        ("https://anna:secret@example.org:8443/", "https://example.org:8443/"),
        ("https://example.org/#secret", "https://example.org/"),
    ],
)
def test_neither_password_nor_query_is_shown(url: str, shown: str) -> None:
    assert addresses.redacted(url) == shown


def test_what_goes_to_one_host_and_port_has_one_target() -> None:
    same = {addresses.target_of(url) for url in ("https://Example.org/a", "https://b@example.org:443/?c")}
    assert same == {"example.org:443"}
    assert addresses.target_of("http://example.org/") == "example.org:80"
