"""The whole workflow without JavaScript: forms and links suffice."""

from uuid import UUID

from playwright.sync_api import Page, expect

from tests.browser.conftest import Darkroom
from tests.tasks import samples


def test_a_prompt_is_sent_and_its_picture_found(no_script: Page, darkroom: Darkroom) -> None:
    no_script.goto("/")
    no_script.get_by_label("Prompt", exact=True).fill("a fox without a script")
    no_script.get_by_label("Width", exact=True).fill("64")
    no_script.get_by_role("button", name="Generate").click()
    expect(no_script).to_have_url(f"{darkroom.url}/")
    first = no_script.locator("#sheet article").first
    job_id = (first.get_attribute("id") or "").removeprefix("job-")
    assert darkroom.finished(UUID(job_id))["status"] == "completed"
    no_script.reload()
    no_script.locator(f"#job-{job_id} a").first.click()
    expect(no_script.get_by_role("heading", level=1)).to_have_text("a fox without a script")
    no_script.get_by_text("More", exact=True).click()
    no_script.get_by_role("link", name="Use again").click()
    expect(no_script.get_by_label("Prompt", exact=True)).to_have_value("a fox without a script")


def test_the_composer_is_whole_at_the_head_of_the_page_on_a_phone_as_well(no_script: Page, darkroom: Darkroom) -> None:
    no_script.set_viewport_size({"width": 360, "height": 740})
    no_script.goto("/")
    expect(no_script.locator("#composer")).to_have_css("position", "static")
    expect(no_script.get_by_label("Width", exact=True)).to_be_visible()
    expect(no_script.get_by_role("button", name="Last prompts")).to_be_hidden()
    form, search = no_script.locator("#composer").bounding_box(), no_script.locator("#search-bar").bounding_box()
    assert form
    assert search
    assert form["y"] + form["height"] <= search["y"]


def test_what_is_wrong_is_told_on_the_whole_page(no_script: Page, darkroom: Darkroom) -> None:
    no_script.goto("/")
    no_script.get_by_label("Prompt", exact=True).fill("a fox of no width")
    no_script.get_by_label("Outputs", exact=True).fill("77")
    no_script.get_by_role("button", name="Generate").click()
    expect(no_script.get_by_text("num_outputs must be at most 4.")).to_have_count(1)
    expect(no_script.get_by_label("Prompt", exact=True)).to_have_value("a fox of no width")


def test_another_model_is_chosen_with_a_button(no_script: Page, darkroom: Darkroom) -> None:
    no_script.goto("/")
    no_script.get_by_label("Prompt", exact=True).fill("half a thought")
    no_script.get_by_label("Model", exact=True).select_option("meta/musicgen")
    no_script.get_by_role("button", name="Use this model").click()
    expect(no_script.get_by_label("Duration")).to_be_visible()
    expect(no_script.get_by_label("Prompt", exact=True)).to_have_value("half a thought")


def test_a_file_is_chosen_as_input_and_its_job_leads_on(no_script: Page, darkroom: Darkroom) -> None:
    no_script.goto("/?model=google/nano-banana")
    no_script.get_by_label("Prompt", exact=True).fill("a scriptless fox at night")
    picture = {"name": "fox.png", "mimeType": "image/png", "buffer": samples.picture(90, 60)}
    no_script.get_by_label("Image input: choose files").set_input_files(picture)  # type: ignore[arg-type]
    no_script.get_by_role("button", name="Generate").click()
    expect(no_script).to_have_url(f"{darkroom.url}/")
    job_id = (no_script.locator("#sheet article").first.get_attribute("id") or "").removeprefix("job-")
    made = darkroom.finished(UUID(job_id))
    assert made["status"] == "completed"
    assert made["parameters"]["image_input"][0].startswith("/media/upload-")
    no_script.goto(f"/jobs/{job_id}")
    no_script.get_by_role("link", name="Use as input").click()
    expect(no_script.get_by_label("Image input", exact=True)).to_have_value(made["result_url"])
    no_script.get_by_label("Prompt", exact=True).fill("a scriptless fox at noon")
    no_script.get_by_role("button", name="Generate").click()
    no_script.goto(f"/jobs/{job_id}")
    expect(no_script.get_by_role("heading", name="Used in")).to_be_visible()


def test_a_failed_job_is_retried_and_an_ended_one_thrown_away(no_script: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "fails without a script", "do": "fail_prediction", "error": "NSFW"})
    job_id = darkroom.post("a fox that fails without a script")
    assert darkroom.finished(job_id)["status"] == "failed"
    no_script.goto("/")
    no_script.locator(f"#job-{job_id}").get_by_role("button", name="Try again").click()
    expect(no_script).to_have_url(f"{darkroom.url}/")
    assert darkroom.finished(job_id)["status"] == "completed"
    no_script.goto(f"/jobs/{job_id}")
    no_script.get_by_role("button", name="Trash").click()
    expect(no_script.get_by_text("Moved 1 print to the trash.")).to_be_visible()
    no_script.goto("/")
    expect(no_script.locator(f"#job-{job_id}")).to_have_count(0)


def test_a_running_job_is_canceled(no_script: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "stopped by hand", "do": "run", "seconds": 60})
    job_id = darkroom.post("a fox stopped by hand")
    no_script.goto(f"/jobs/{job_id}")
    no_script.get_by_role("button", name="Cancel").click()
    assert darkroom.finished(job_id)["status"] == "canceled"


def test_older_cards_are_a_link_away(no_script: Page, darkroom: Darkroom) -> None:
    for number in range(61):
        darkroom.post(f"one of many {number}")
    no_script.goto("/?q=many")  # without a search, those that wait would be one card
    shown = no_script.locator("#sheet article").evaluate_all("cards => cards.map(card => card.id)")
    no_script.get_by_role("link", name="Older prints").click()
    expect(no_script.locator(f"#{shown[0]}")).to_have_count(0)
    expect(no_script.locator("#sheet article").first).to_be_visible()
    older = no_script.locator("#sheet article").evaluate_all("cards => cards.map(card => card.id)")
    assert older
    assert max(older) < min(shown)
    no_script.get_by_role("link", name="Back to the newest").click()
    expect(no_script).to_have_url(f"{darkroom.url}/?q=many")
