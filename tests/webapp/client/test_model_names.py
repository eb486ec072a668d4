"""A model is found by its bare name, if only one has it."""

import pytest

from webapp.client.exceptions import UnknownModel
from webapp.client.model_names import resolved

pytestmark = pytest.mark.once

KNOWN = ["a/flux-schnell", "b/flux-dev", "c/flux-dev", "c/flux-dev:1a", "d/dev", "e/sdxl:2b"]


@pytest.mark.parametrize(
    ("name", "model"),
    [("flux-schnell", "a/flux-schnell"), ("schnell", "a/flux-schnell"), ("dev", "d/dev"), ("sdxl:3c", "e/sdxl:3c")],
)
def test_a_name_or_the_end_of_one_suffices(name: str, model: str) -> None:
    assert resolved(name, KNOWN) == model


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("flux-dev", "flux-dev is the name of several models: b/flux-dev, c/flux-dev."),
        ("flux", "No known model is named flux. Known are: a/flux-schnell, "),
        ("", "No known model is named"),
    ],
)
def test_one_that_is_unknown_or_of_several_models_is_refused(name: str, why: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        resolved(name, KNOWN)
    assert str(caught.value).startswith(why)
