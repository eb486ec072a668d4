"""Names of models in addresses."""

import pytest

from tasks.models.names import named_in

VERSION = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://replicate.com/black-forest-labs/flux-dev", "black-forest-labs/flux-dev"),
        (" replicate.com/a/b.c/ ", "a/b.c"),
        ("https://www.replicate.com/a/b/api/schema#input", "a/b"),
        ("https://replicate.com/a/b?prediction=xyz", "a/b"),
        ("https://api.replicate.com/v1/models/a/b", "a/b"),
        (f"https://replicate.com/a/b/versions/{VERSION}", f"a/b:{VERSION}"),
        ("a/b", "a/b"),
        (f" a/b:{VERSION}", f"a/b:{VERSION}"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("https://replicate.com.example.org/a/b", "https://replicate.com.example.org/a/b"),
        ("https://replicate.com/a", "https://replicate.com/a"),
    ],
)
def test_the_name_is_found_in_an_address_at_replicate(address: str, name: str) -> None:
    assert named_in(address) == name
