"""What goes wrong at the stand-in for one job, and what that job may say of it if it fails."""

from dataclasses import dataclass
from random import Random

import msgspec

from tasks.standin.faults import Rule


@dataclass(frozen=True)
class Fate:
    """What the stand-in does to one job's requests.

    codes: those of which the job may fail, for this reason; besides, it may say that it does not know what came of a
    create, where none could know. finish_within: seconds that its visitor gives it. cancels: whether its visitor
    cancels it as soon as its request to create has met its rule; afterwards: what begins in that moment.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    codes: frozenset[str] = frozenset()
    finish_within: int | None = None
    cancels: bool = False
    afterwards: tuple[Rule, ...] = ()

    def rules_for(self, prompt: str) -> list[Rule]:
        """The rules, held to the requests of one prompt."""
        return [msgspec.structs.replace(rule, match=prompt) for rule in self.rules]


NO_FATE = Fate("nothing")
UNDOCUMENTED = (408, 409, 425, 499, 418)
"""Statuses that say nothing sure of a request to create: a gateway may answer them after it has passed it on."""
LATEST = 6.0  # seconds until a list shows what it did not show at once
ENDLESS = 240.0  # seconds: as long as a round, for a prediction that would run on if nobody called it off
MOMENT = 10.0  # seconds
UNTOLD = Rule("webhook", "missing", times=0)


def fate(chance: Random, slow: bool) -> Fate:
    """What shall happen to a job: to half of them nothing. slow: also what takes half a minute to get over."""
    if chance.random() < 0.5:
        return NO_FATE
    drawers = [
        _refused, _lost_answer, _denied, _bad_prediction, _bad_look, _bad_file, _file_not_shown, _bad_webhook,
        _too_long,
    ]  # fmt: skip
    return chance.choice([*drawers, _never_arrived, _canceled_in_the_dark] if slow else drawers)(chance)


def trouble(chance: Random, slow: bool) -> tuple[Rule, ...]:
    """A bad moment of Replicate's, for whoever comes by: nothing of it leaves an outcome in doubt, and it passes."""
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
    """Not created for sure, as Replicate's own answer says. It is about this prompt alone, also where it is a 403."""
    status, code = chance.choice([(422, "invalid_input"), (403, "forbidden")])
    return Fate(f"{status} on create", (Rule("create", "status", status=status),), frozenset({code}))


def _lost_answer(chance: Random) -> Fate:
    """Created, and nobody was told: it has to be found again, in a list that may show it later."""
    late = chance.choice([0, chance.uniform(0.5, LATEST)])
    rules = [
        Rule("create", "drop_answer", unlisted=late),
        Rule("create", "truncate", unlisted=late),
        Rule("create", "hang_answer", seconds=chance.uniform(1, 5), unlisted=late),
    ]
    rule = chance.choice(rules)
    return Fate(f"{rule.do} on create, listed {late:.1f} s late", (rule,))


def _denied(chance: Random) -> Fate:
    """Created, and the answer seems to say that it was not. Only the list tells."""
    late = chance.uniform(0.5, LATEST)
    rule = Rule("create", "deny", status=chance.choice([500, 503, *UNDOCUMENTED]), unlisted=late)
    return Fate(f"{rule.status} although created, listed {late:.1f} s late", (rule, UNTOLD))


def _never_arrived(chance: Random) -> Fate:
    """Not created, but who asked cannot know: an honest "unknown" is all there is to say."""
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
    """Created, nobody was told, and it is canceled while no list shows it. It would run on for as long as the round."""
    dark = chance.uniform(8, 15)
    lost = Rule("create", "drop_answer", running=ENDLESS)
    if chance.random() < 0.5:
        return Fate(
            "canceled while the list is late", (msgspec.structs.replace(lost, unlisted=dark), UNTOLD), cancels=True
        )
    down = Rule("list", "status", status=503, lasting=dark)
    return Fate("canceled while the list is down", (lost, UNTOLD), cancels=True, afterwards=(down,))


def _bad_prediction(chance: Random) -> Fate:
    """The prediction fails: by Replicate's fault, which may pass, or by the prompt's, which does not."""
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
    """Its host says that it is gone, or not for us; a moment later it is there."""
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
    """It takes longer than there is time: the prediction has to be called off, and the job says so."""
    rule = chance.choice([Rule("create", "boot", seconds=300), Rule("create", "run", seconds=300)])
    return Fate(f"{rule.do} for too long", (rule,), frozenset({"deadline"}), finish_within=chance.randint(5, 9))


def _in_short(rule: Rule) -> str:
    return str(rule.status) if rule.do == "status" else rule.do
