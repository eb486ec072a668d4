"""The fates of jobs: what goes wrong at the stand-in for one job, and with which codes that job may fail."""

from dataclasses import dataclass
from random import Random

import msgspec

from tasks.standin.faults import Rule


@dataclass(frozen=True)
class Fate:
    """What the stand-in does to the requests of one job.

    codes: the error codes with which the job may fail for this reason. It may also report that the outcome of a create
    is unknown, where it could not be known. finish_within: seconds that its visitor gives it. cancels: whether its
    visitor cancels it as soon as its request to create has met its rule. afterwards: the rules that begin at that
    moment.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    codes: frozenset[str] = frozenset()
    finish_within: int | None = None
    cancels: bool = False
    afterwards: tuple[Rule, ...] = ()

    def rules_for(self, prompt: str) -> list[Rule]:
        """Return the rules, limited to the requests of one prompt."""
        return [msgspec.structs.replace(rule, match=prompt) for rule in self.rules]


NO_FATE = Fate("nothing")
UNDOCUMENTED = (408, 409, 425, 499, 418)
"""Statuses that prove nothing about a request to create: a gateway may send them after it has forwarded the request."""
LATEST = 6.0  # seconds until a list shows what it did not show at first
ENDLESS = 240.0  # seconds: as long as a round, for a prediction that runs on unless it is canceled
MOMENT = 10.0  # seconds
UNTOLD = Rule("webhook", "missing", times=0)


def fate(chance: Random, slow: bool) -> Fate:
    """Choose what happens to a job: for half of them nothing.

    slow: also choose faults from which it takes half a minute to recover.
    """
    if chance.random() < 0.5:
        return NO_FATE
    drawers = [
        _refused, _lost_answer, _denied, _bad_prediction, _bad_look, _bad_file, _file_not_shown, _bad_webhook,
        _too_long,
    ]  # fmt: skip
    return chance.choice([*drawers, _never_arrived, _canceled_in_the_dark] if slow else drawers)(chance)


def trouble(chance: Random, slow: bool) -> tuple[Rule, ...]:
    """Return a temporary problem of Replicate's that affects any request. It leaves no outcome in doubt."""
    lists = (
        Rule("list", "status", status=500, times=chance.randint(1, 4), within=MOMENT),
        Rule("list", "html502", times=chance.randint(1, 2), within=MOMENT),
    )
    return (
        Rule("create", "status", status=429, retry_after=1, times=chance.randint(1, 2), within=MOMENT),
        Rule("get", "status", status=429, retry_after=1, times=chance.randint(1, 6), within=MOMENT),
        Rule("get", "html502", times=chance.randint(1, 20), within=MOMENT),
        Rule("get", "reset", times=chance.randint(1, 10), within=MOMENT),
        Rule("cancel", "status", status=500, times=chance.randint(1, 2), within=MOMENT),
        Rule("file", "status", status=503, lasting=chance.uniform(2, 4)),
        *(lists if slow else ()),
    )


def _refused(chance: Random) -> Fate:
    """Refuse the create. Replicate's own answer says that nothing was created.

    The answer concerns this prompt alone, even when it is a 403.
    """
    status, code = chance.choice([(422, "invalid_input"), (403, "forbidden")])
    return Fate(f"{status} on create", (Rule("create", "status", status=status),), frozenset({code}))


def _lost_answer(chance: Random) -> Fate:
    """Lose the answer of a create. The prediction must be found again, in a list that may show it late."""
    late = chance.choice([0, chance.uniform(0.5, LATEST)])
    rules = [
        Rule("create", "drop_answer", unlisted=late),
        Rule("create", "truncate", unlisted=late),
        Rule("create", "hang_answer", seconds=chance.uniform(1, 5), unlisted=late),
    ]
    rule = chance.choice(rules)
    return Fate(f"{rule.do} on create, listed {late:.1f} s late", (rule,))


def _denied(chance: Random) -> Fate:
    """Create a prediction, but answer as if it was not created. Only the list shows it."""
    late = chance.uniform(0.5, LATEST)
    rule = Rule("create", "deny", status=chance.choice([500, 503, *UNDOCUMENTED]), unlisted=late)
    return Fate(f"{rule.status} although created, listed {late:.1f} s late", (rule, UNTOLD))


def _never_arrived(chance: Random) -> Fate:
    """Create nothing. The client cannot know this: an honest "unknown" is all that it can report."""
    rules = [
        Rule("create", "reset"),
        Rule("create", "html502"),
        Rule("create", "hang", seconds=chance.uniform(1, 5)),
        Rule("create", "status", status=chance.choice([500, 503])),
        Rule("create", "status", status=chance.choice(UNDOCUMENTED)),
    ]
    rule = chance.choice(rules)
    return Fate(f"{_in_short(rule)} on create", (rule,))


def _canceled_in_the_dark(chance: Random) -> Fate:
    """Create a prediction, lose the answer, and have the job canceled while no list shows the prediction.

    The prediction would run on for as long as the round.
    """
    dark = chance.uniform(8, 15)
    lost = Rule("create", "drop_answer", running=ENDLESS)
    if chance.random() < 0.5:
        return Fate(
            "canceled while the list is late", (msgspec.structs.replace(lost, unlisted=dark), UNTOLD), cancels=True
        )
    down = Rule("list", "status", status=503, lasting=dark)
    return Fate("canceled while the list is down", (lost, UNTOLD), cancels=True, afterwards=(down,))


def _bad_prediction(chance: Random) -> Fate:
    """Make the prediction fail: by Replicate's fault, which may pass, or by the prompt's, which does not."""
    error, code = chance.choice(
        [
            ("Prediction interrupted; please retry (code: PA)", None),
            ("Director: unexpected error handling prediction (E9243)", None),
            ("NSFW content detected. Try running it again, or try a different prompt.", "moderated"),
            ("CUDA out of memory. Tried to allocate 20.00 GiB", "out_of_memory"),
            ("'NoneType' object is not subscriptable", "model_error"),
        ]
    )
    rule = Rule("create", "fail_prediction", error=error)
    return Fate(f"prediction fails: {code or 'passing'}", (rule,), frozenset({code} if code else ()))


def _bad_look(chance: Random) -> Fate:
    rules = [
        Rule("get", "status", status=404, times=chance.randint(1, 3)),
        Rule("get", "status", status=500, times=3),
        Rule("get", "html502", times=2),
        Rule("get", "reset", times=2),
        Rule("get", "truncate", times=2),
        Rule("get", "hang", seconds=chance.uniform(1, 4)),
    ]
    rule = chance.choice(rules)
    return Fate(f"{_in_short(rule)} on get", (rule,))


def _bad_file(chance: Random) -> Fate:
    rules = [
        Rule("file", "truncate", times=chance.randint(1, 2)),
        Rule("file", "status", status=503, times=chance.randint(1, 2)),
        Rule("file", "reset", times=chance.randint(1, 2)),
        Rule("file", "stall", seconds=chance.uniform(1, 4)),
    ]
    rule = chance.choice(rules)
    return Fate(f"{rule.do} on file", (rule,))


def _file_not_shown(chance: Random) -> Fate:
    """Make the file's host answer that it is gone, or that access is denied; a moment later the file is available."""
    rule = Rule("file", "status", status=chance.choice([404, 403, 401]), times=chance.randint(1, 2))
    return Fate(f"{rule.status} on file", (rule,))


def _bad_webhook(chance: Random) -> Fate:
    rules = [
        Rule("webhook", "missing", times=0),
        Rule("webhook", "double", times=0),
        Rule("webhook", "late", seconds=chance.uniform(1, 6)),
    ]
    rule = chance.choice(rules)
    return Fate(f"webhook {rule.do}", (rule,))


def _too_long(chance: Random) -> Fate:
    """Make the prediction take longer than the job has time. It must be canceled, and the job must say so."""
    rule = chance.choice([Rule("create", "boot", seconds=300), Rule("create", "run", seconds=300)])
    return Fate(f"{rule.do} for too long", (rule,), frozenset({"deadline"}), finish_within=chance.randint(5, 9))


def _in_short(rule: Rule) -> str:
    return str(rule.status) if rule.do == "status" else rule.do
