"""Settings of a model under a name."""

from typing import Any

import pytest

from tasks.curation import presets
from tasks.db import ids
from tasks.errors import Rejected
from tasks.models.registry import Model, built_in

NANO = "google/nano-banana"


def model(name: str = "stability-ai/sdxl") -> Model:
    found = built_in(name)
    assert found is not None
    return found


async def test_settings_are_kept_under_a_name_renamed_and_deleted() -> None:
    kept = await presets.save(model(), "  Portrait   4:5 ", {"width": 928, "height": 1152})
    assert presets.settings_of(kept) == {"width": 928, "height": 1152}
    assert await presets.rename(kept.id, "Tall")
    assert [row.name for row in await presets.of_model("stability-ai/sdxl")] == ["Tall"]
    assert await presets.of_model(NANO) == []
    assert await presets.delete(kept.id)
    assert not await presets.delete(kept.id)
    assert not await presets.rename(kept.id, "Taller")
    assert await presets.find(str(kept.id)) is None


async def test_a_name_is_unique_for_its_model() -> None:
    first = await presets.save(model(), "Wide", {"width": 1280})
    await presets.save(model(NANO), "Wide", {"aspect_ratio": "16:9"})
    other = await presets.save(model(), "Wider", {"width": 1344})
    with pytest.raises(Rejected) as refused:
        await presets.save(model(), "Wide", {})
    assert refused.value.code == "invalid_name"
    with pytest.raises(Rejected):
        await presets.rename(other.id, "Wide")
    assert await presets.rename(first.id, "Wide")  # to its own name
    assert [row.name for row in await presets.all_of_them()] == ["Wide", "Wide", "Wider"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\0b"])
async def test_what_is_no_name_is_refused(name: str) -> None:
    kept = await presets.save(model(), "Wide", {})
    for refused in (presets.save(model(), name, {}), presets.rename(kept.id, name)):
        with pytest.raises(Rejected) as error:
            await refused
        assert error.value.code == "invalid_name"


@pytest.mark.parametrize("parameters", [{"width": "wide"}, {"nope": 1}, {"prompt": "a fox"}, {"num_outputs": 5}])
async def test_settings_that_the_model_does_not_accept_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        await presets.save(model(), "Wrong", parameters)
    assert refused.value.code == "invalid_parameters"
    assert await presets.all_of_them() == []


async def test_what_a_model_requires_may_be_missing() -> None:
    schemas = {"Input": {"properties": {"prompt": {}, "image": {"format": "uri"}, "width": {}}, "required": ["image"]}}
    await presets.save(Model("some/model", None, True, "", schemas), "Wide", {"width": 8})
    assert len(await presets.of_model("some/model")) == 1


async def test_a_model_has_a_limited_number_of_presets() -> None:
    for number in range(presets.MAX_PRESETS):
        await presets.save(model(), f"number {number}", {})
    with pytest.raises(Rejected) as refused:
        await presets.save(model(), "one more", {})
    assert refused.value.code == "invalid_request"
    await presets.save(model(NANO), "one of another", {})


async def test_a_preset_that_never_was_is_not_found() -> None:
    assert await presets.find(str(ids.new())) is None
    assert await presets.find("nonsense") is None
