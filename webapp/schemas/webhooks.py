"""The shapes of webhooks."""

from typing import Annotated

from msgspec import Meta, Struct


class SigningSecret(Struct):
    """The secret that signs what is told of jobs with a `webhook`."""

    key: Annotated[str, Meta(description="`whsec_` and base64, as in Standard Webhooks.")]
