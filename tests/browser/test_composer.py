"""The composer with JavaScript: a searchable list of models, sliders, dice and lock, files, and what it remembers."""

from base64 import b64encode
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.tasks.samples import picture

FLUX, NANO = "black-forest-labs/flux-schnell", "google/nano-banana"
PICTURE = b64encode(picture(60, 40)).decode()

GIVE = """([selector, name, content, uri]) => {
  const transfer = new DataTransfer();
  if (content) {
    const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
    transfer.items.add(new File([bytes], 'fox.png', {type: 'image/png'}));
  }
  if (uri) transfer.setData('text/uri-list', uri);
  const init = {bubbles: true, cancelable: true};
  const event = name === 'paste' ? new ClipboardEvent(name, {...init, clipboardData: transfer})
    : new DragEvent(name, {...init, dataTransfer: transfer});
  document.querySelector(selector).dispatchEvent(event);
}"""


def prompt(page: Page) -> Locator:
    return page.get_by_label("Prompt", exact=True)


def generate(page: Page, words: str) -> None:
    """Send a prompt, wait until the composer has processed the answer, and open it again."""
    prompt(page).fill(words)
    with page.expect_response("**/jobs") as answered:
        page.get_by_role("button", name="Generate").click()
    assert answered.value.status == 200
    page.wait_for_selector(".composer:not(.htmx-request)")
    expect(page.locator("#composer-place")).not_to_have_attribute("data-open", "")  # the new card is seen
    prompt(page).click()


def newest(page: Page, words: str) -> UUID:
    """Return the id of the first card's job, once that card shows the prompt."""
    first = page.locator("#sheet article").first
    expect(first).to_contain_text(words)
    return UUID((first.get_attribute("id") or "").removeprefix("job-"))


def give(page: Page, selector: str, event: str, content: str = "", uri: str = "") -> None:
    """Paste or drop a picture, or drop an address."""
    page.evaluate(GIVE, [selector, event, content, uri])


@pytest.mark.main_path
def test_a_model_is_found_by_typing_and_chosen_by_keyboard(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    prompt(page).fill("half a thought")
    model = page.get_by_role("combobox", name="Model", exact=True)
    expect(model).to_have_value("sdxl")
    model.focus()
    page.keyboard.press("ArrowDown")
    expect(model).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("listbox", name="Models").get_by_role("option", selected=True)).to_contain_text("sdxl")
    page.keyboard.type("banana")
    expect(page.get_by_role("listbox", name="Models").get_by_role("option")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(model).to_have_attribute("aria-expanded", "false")
    expect(model).to_have_value("sdxl")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    active = page.locator(f"#{model.get_attribute('aria-activedescendant')}")
    expect(active).to_contain_text("flux-schnell")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Aspect ratio")).to_be_visible()
    expect(model).to_have_value("flux-schnell")
    expect(model).to_be_focused()
    expect(prompt(page)).to_have_value("half a thought")
    model.fill("musicgen")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_have_attribute("placeholder", "Describe a sound")


def test_axe_finds_nothing_in_the_composer_with_its_list_open_and_a_file_given(page: Page, darkroom: Darkroom) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"/?model={NANO}")
    give(page, "#prompt", "paste", PICTURE)
    expect(page.locator("#p-image_input-files img")).to_be_visible()
    page.locator("#more-settings-summary").click()
    page.get_by_label("Model", exact=True).click()
    axe_finds_nothing(page)
    nothing_overflows(page)


@pytest.mark.main_path
def test_a_model_that_is_not_listed_is_named(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.get_by_label("Model", exact=True).fill("nobody/nothing")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name on Replicate")).to_have_value("nobody/nothing")
    expect(page.locator("#model-fault")).to_have_text("Replicate has no model nobody/nothing.")


@pytest.mark.main_path
def test_models_used_last_come_first_and_bring_their_settings_back(page: Page, darkroom: Darkroom) -> None:
    page.goto(f"/?model={FLUX}")
    page.get_by_role("radio", name="3:2").check()
    page.get_by_label("Outputs", exact=True).fill("2")
    page.locator("#more-settings-summary").click()
    page.get_by_label("Go fast").uncheck()
    generate(page, "a fox with settings")
    page.goto("/")
    model = page.get_by_role("combobox", name="Model", exact=True)
    model.click()
    expect(page.get_by_role("group", name="Recent").get_by_role("option")).to_contain_text(["flux-schnell"])
    page.get_by_role("group", name="Recent").get_by_role("option").click()
    expect(page.get_by_role("radio", name="3:2")).to_be_checked()
    expect(page.get_by_label("Outputs", exact=True)).to_have_value("2")
    expect(page.get_by_label("Outputs, slider")).to_have_value("2")
    expect(page.get_by_label("Go fast")).not_to_be_checked()
    expect(page.locator("#more-settings-summary")).to_have_attribute("data-set", "1 set")
    page.goto(f"/?model={FLUX}&prompt=another")
    expect(page.get_by_label("Outputs", exact=True)).to_have_value("")
    expect(page.get_by_role("radio", name="1:1")).to_be_checked()


SLACK = """() => Math.min(...[...document.querySelectorAll('.controls > .field-choice select')].map(select => {
  const canvas = document.createElement('canvas').getContext('2d');
  const {font, paddingLeft, paddingRight} = getComputedStyle(select);
  canvas.font = font;
  const widest = Math.max(...[...select.options].map(option => canvas.measureText(option.text).width));
  return select.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight) - widest;
}))"""


def test_values_are_whole_and_an_example_has_the_focus(page: Page, darkroom: Darkroom) -> None:
    page.goto("/?model=minimax/hailuo-02")
    for width in range(320, 1500, 60):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(SLACK) >= 20, width  # pixels: some browsers add a few of their own
    page.goto("/?prompt=A+lighthouse+in+fog#prompt")
    expect(prompt(page)).to_be_focused()
    expect(prompt(page)).to_have_value("A lighthouse in fog")
    seed = page.get_by_label("Seed", exact=True)
    assert seed.evaluate("seed => getComputedStyle(seed).appearance") == "textfield"  # no arrows in Firefox


def test_a_slider_moves_with_its_number_and_what_is_not_set_is_not_sent(page: Page, darkroom: Darkroom) -> None:
    page.goto(f"/?model={FLUX}")
    number, slider = page.get_by_label("Outputs", exact=True), page.get_by_label("Outputs, slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(number).to_have_value("2")
    number.fill("3")
    expect(slider).to_have_value("3")
    number.fill("")
    expect(slider).to_have_value("1")
    generate(page, "a fox of no number")
    assert darkroom.status(newest(page, "a fox of no number"))["parameters"] == {}


def test_dice_draw_a_seed_that_only_the_lock_keeps(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    prompt(page).click()
    seed = page.get_by_label("Seed", exact=True)
    page.get_by_role("button", name="Randomize seed").click()
    expect(seed).not_to_have_value("")
    generate(page, "a fox of one seed")
    expect(seed).to_have_value("")
    page.get_by_label("Keep the seed").check()
    kept = seed.input_value()
    assert kept
    generate(page, "a fox of a kept seed")
    expect(seed).to_have_value(kept)
    expect(page.get_by_label("Keep the seed")).to_be_checked()


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_a_picture_that_is_pasted_or_dropped_becomes_input(page: Page, darkroom: Darkroom, event: str) -> None:
    page.goto(f"/?model={NANO}")
    give(page, "#p-image_input" if event == "drop" else "#prompt", event, PICTURE)
    shown = page.locator("#p-image_input-files img")
    expect(shown).to_be_visible()
    generate(page, f"a fox from a picture by {event}")
    [address] = darkroom.status(newest(page, f"a fox from a picture by {event}"))["parameters"]["image_input"]
    assert address.startswith("/media/upload-")
    page.get_by_role("button", name="Remove upload").click()
    expect(shown).to_have_count(0)
    expect(page.get_by_label("Image input", exact=True)).to_have_value("")


def test_a_card_that_is_dropped_gives_its_result(page: Page, darkroom: Darkroom) -> None:
    job_id = darkroom.post("a fox to drag")
    made = darkroom.finished(job_id)
    page.goto(f"/?model={NANO}")
    give(page, "#prompt", "drop", uri=f"{darkroom.url}/jobs/{job_id}")
    expect(page.get_by_label("Image input", exact=True)).to_have_value(made["result_url"])


def test_a_file_that_the_model_does_not_take_is_told(page: Page, darkroom: Darkroom) -> None:
    page.goto(f"/?model={FLUX}")
    give(page, "#prompt", "paste", PICTURE)
    expect(page.locator("#notice")).to_have_text("flux-schnell does not accept this file.")


def test_a_file_of_ours_on_the_prompt_brings_its_settings_back(page: Page, darkroom: Darkroom) -> None:
    job_id = darkroom.post("a fox to restore", width=96)
    made = darkroom.finished(job_id)
    download = httpx.get(f"{darkroom.url}{made['result_url']}?download").content
    page.goto("/")
    give(page, "#prompt", "drop", b64encode(download).decode())
    expect(prompt(page)).to_have_value("a fox to restore")
    expect(page.get_by_label("Width", exact=True)).to_have_value("96")
    expect(page.get_by_label("Seed", exact=True)).to_have_value(str(made["seed"]))


def test_a_file_of_others_on_the_prompt_becomes_input(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    give(page, "#prompt", "drop", PICTURE)
    expect(page.locator("#p-image-files img")).to_be_visible()
