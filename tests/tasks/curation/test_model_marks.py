"""Which models are starred or hidden."""

from tasks.curation import model_marks


async def test_a_star_and_hiding_do_not_touch_each_other() -> None:
    await model_marks.star("a/b", True)
    await model_marks.hide("a/b", True)
    mark = await model_marks.of("a/b")
    assert (mark.starred, mark.hidden) == (True, True)
    await model_marks.star("a/b", False)
    mark = (await model_marks.all_of_them())["a/b"]
    assert (mark.starred, mark.hidden) == (False, True)
    other = await model_marks.of("c/d")
    assert (other.starred, other.hidden) == (False, False)
