"""Changes to single outputs of a job: the `outputs` of a PATCH, and the actions of the buttons at an output."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from tasks.curation import edits, output_edits
from tasks.curation.edits import Outcome
from tasks.errors import Fault
from tasks.library.cards import Card
from webapp.schemas.requests import OutputChange


def _flag_fault(value: object) -> str | None:
    return None if isinstance(value, bool) else "This must be true or false."


MARK_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "favorite": _flag_fault,
    "trashed": _flag_fault,
    "rating": lambda value: None if type(value) is int and 0 <= value <= 5 else edits.RATING_FAULT,
}
"""What says whether a member, of a job or of an output, has a value that it cannot have, by its name."""
ACTIONS = ("favorite", "rate", "trash", "restore")
"""The actions of POST /selection that can be meant for one output."""
MEMBERS = OutputChange.__struct_fields__


def faults(asked: object, card: Card) -> list[Fault]:
    """Return everything that is wrong with the changes that were asked for."""
    if not isinstance(asked, list) or not all(isinstance(change, dict) for change in asked):
        return [Fault("/outputs", "This must be a list of objects.")]
    positions = {output.position for output in card.all_outputs}
    found, seen = list[Fault](), set[int]()
    for at, change in enumerate(asked):
        if type(position := change.get("position")) is not int or position not in positions:
            found.append(Fault(f"/outputs/{at}/position", "The job has no output at this position."))
        elif position in seen:
            found.append(Fault(f"/outputs/{at}/position", "The output at this position is there twice."))
        else:
            seen.add(position)
        for name in change.keys() - set(MEMBERS):
            found.append(Fault(f"/outputs/{at}", f"There is no member {name!r}. The members are {', '.join(MEMBERS)}."))
        for name, check in MARK_CHECKS.items():
            if name in change and (fault := check(change[name])):
                found.append(Fault(f"/outputs/{at}/{name}", fault))
    return found


async def apply(job_id: UUID, asked: Any) -> None:
    """Make changes that have no faults. What goes to the trash does so last, and together."""
    alike: dict[tuple[str, int], list[int]] = defaultdict(list)
    for change in asked:
        for name in MARK_CHECKS.keys() & change.keys():
            alike[name, change[name]].append(change["position"])
    for (name, value), positions in sorted(alike.items()):
        match name:
            case "favorite":
                await output_edits.favorite(job_id, positions, bool(value))
            case "rating":
                await output_edits.rate(job_id, positions, value)
            case "trashed":
                await (output_edits.trash if value else output_edits.restore)(job_id, positions)


async def act(card: Card, output: str, action: str, argument: str) -> Outcome:
    """Apply one of ACTIONS to the output at a position, as it was sent. Raises ValueError with a sentence for users."""
    known = {str(row.position): row.position for row in card.all_outputs}
    if output not in known:
        raise ValueError("The print has no such result.")
    positions = [known[output]]
    match action:
        case "favorite":
            return await output_edits.favorite(card.job.id, positions, argument != "no")
        case "rate":
            return await output_edits.rate(card.job.id, positions, stars(argument))
        case "trash":
            return await output_edits.trash(card.job.id, positions)
    return await output_edits.restore(card.job.id, positions)


def stars(text: str) -> int:
    """Return a number of stars as it was sent, or a number that no print can have."""
    return int(text) if text.isdecimal() else -1
