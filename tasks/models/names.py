"""Names of models, as owner/name, to which a request may add the version that it wants: owner/name:id."""

import re

OWNER_AND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def bare(model: str) -> str:
    """Return the name of a model without its version."""
    return model.partition(":")[0]
