"""The models' pages, and what they and the composer share: presets, hidden and starred models, sizes by their ratio."""

from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom

SDXL = "stability-ai/sdxl"


def field(page: Page, name: str) -> str:
    return page.locator(f"#p-{name}").input_value()


def test_settings_are_kept_as_a_preset_and_a_chip_fills_them_in(page: Page, darkroom: Darkroom) -> None:
    page.goto(f"/?model={SDXL}&prompt=a+quiet+harbor&p.seed=7")
    generated: list[str] = []
    page.on("request", lambda request: generated.append(request.url) if request.url.endswith("/jobs") else None)
    ratios = page.get_by_role("group", name="Aspect ratio")
    expect(ratios.get_by_role("button", name="1:1")).to_have_attribute("aria-pressed", "true")
    ratios.get_by_role("button", name="4:5").click()
    assert (field(page, "width"), field(page, "height")) == ("928", "1152")
    expect(ratios.get_by_role("button", name="4:5")).to_have_attribute("aria-pressed", "true")
    expect(ratios.get_by_role("button", name="1:1")).to_have_attribute("aria-pressed", "false")
    page.get_by_text("Save as preset").click()
    name = page.get_by_label("Name of the preset")
    name.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="needs a name")).to_be_visible()
    expect(name).to_be_focused()
    name.fill("Portrait 4:5")
    name.press("Enter")
    chip = page.get_by_role("group", name="Presets").get_by_role("button", name="Portrait 4:5")
    expect(chip).to_be_visible()
    expect(page.locator("#preset-new-summary")).to_be_focused()
    ratios.get_by_role("button", name="1:1").click()
    with page.expect_response("**/composer/estimate"):
        page.locator("#p-seed").fill("8")
        page.locator("#p-seed").blur()
    assert (field(page, "width"), field(page, "height")) == ("", "")
    chip.focus()
    with page.expect_response("**/composer/estimate") as estimated:
        chip.press("Enter")
    assert "p.width=928" in (estimated.value.request.post_data or "")
    expect(page.locator("#p-width")).to_have_value("928")
    expect(chip).to_be_focused()
    assert (field(page, "height"), field(page, "seed")) == ("1152", "8")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a quiet harbor")
    assert generated == []
    axe_finds_nothing(page)
    page.set_viewport_size({"width": 360, "height": 740})
    nothing_overflows(page)

    page.goto(f"/models/{SDXL}")
    presets = page.get_by_role("region", name="Presets")
    expect(presets).to_contain_text("width 928, height 1152")
    presets.get_by_label("New name of Portrait 4:5").fill("Tall")
    presets.get_by_role("button", name="Rename").click()
    presets.get_by_role("link", name="Tall").click()
    expect(page.locator("#p-width")).to_have_value("928")
    page.go_back()
    presets.get_by_role("button", name="Delete").click()
    expect(presets).to_contain_text("None yet.")


def test_a_model_is_added_by_its_address_starred_and_hidden(page: Page, darkroom: Darkroom) -> None:
    darkroom.finished(darkroom.post("a model that has made something"))
    page.goto("/models")
    axe_finds_nothing(page)
    address = page.get_by_label("Address of a model")
    address.fill("https://replicate.com/no/such-model")
    address.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Replicate has no model no/such-model.")
    expect(address).to_have_value("https://replicate.com/no/such-model")
    cards = page.locator(".model")
    hailuo = cards.filter(has_text="hailuo-02")
    hailuo.get_by_role("button", name="Star").click()
    expect(cards.first).to_contain_text("hailuo-02")
    expect(hailuo.get_by_role("button", name="Star")).to_have_attribute("aria-pressed", "true")
    cards.filter(has_text="musicgen").get_by_role("button", name="Hide").click()
    hidden = page.get_by_role("region", name="Hidden from the menu")
    expect(hidden).to_contain_text("musicgen")
    page.set_viewport_size({"width": 360, "height": 740})
    nothing_overflows(page)
    page.goto("/")
    expect(page.locator("#model option[value='meta/musicgen']")).to_have_count(0)
    page.goto("/models")
    hidden.get_by_role("button", name="Show").click()
    hailuo.get_by_role("button", name="Star").click()
    expect(hidden).to_have_count(0)
    cards.filter(has_text="sdxl").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="sdxl")).to_be_visible()
    expect(page.get_by_role("region", name="Last prints").get_by_role("link").first).to_be_visible()
    axe_finds_nothing(page)
    nothing_overflows(page)
    page.get_by_role("link", name="Generate with it").click()
    expect(page.locator("#model")).to_have_value(SDXL)
