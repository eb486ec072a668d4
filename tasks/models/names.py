"""Names of models, as owner/name, to which a request may add the version that it wants: owner/name:id."""

import re

OWNER_AND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PAGE = re.compile(
    r"(?:https?://)?(?:www\.|api\.)?replicate\.com/(?:v1/models/)?"
    rf"(?P<model>{OWNER_AND_NAME.pattern})(?:/versions/(?P<version>[0-9a-f]{{64}}))?(?:[/?#].*)?"
)
"""The address of a page of a model at Replicate, or of the model in its API."""


def bare(model: str) -> str:
    """Return the name of a model without its version."""
    return model.partition(":")[0]


def named_in(address: str) -> str:
    """Return the name of the model in the address of a page at Replicate, or in one that may be a name already.

    A page of a version names that version. What is no such address is returned as it is, without spaces around it.
    """
    found = PAGE.fullmatch(address.strip())
    if found is None:
        return address.strip()
    return found["model"] + (f":{found['version']}" if found["version"] else "")
