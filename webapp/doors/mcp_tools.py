"""The tools that agents have, in no protocol's words: what each takes and needs, and what it answers.

The contexts of models are small, so descriptions and answers are short.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec

from tasks.accounts.actors import Permission
from tasks.admission import admission
from tasks.errors import Fault, Rejected, pointer
from tasks.jobs import budgets, quotes
from tasks.jobs.budgets import Scope
from tasks.models import registry, schemas
from tasks.models.costs import dollars
from tasks.models.names import bare
from tasks.settings import settings
from tasks.spend import limits, totals
from webapp.doors import mcp_jobs
from webapp.doors.mcp_jobs import MAX_FOUND, MAX_WAIT_SECONDS, Answer, Call
from webapp.http.authentication import refused
from webapp.http.requests import existing_model, terms_for
from webapp.schemas.library import Model, ModelInFull
from webapp.schemas.money import BudgetState, Estimate

MAX_FAULTS = 5  # of the arguments, that one answer tells
MAX_FAULT_LENGTH = 300  # characters: some quote what was sent

Members = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """A tool.

    run: gets the call, and the arguments by name. needs: the permission. properties: of the arguments, as JSON Schema.
    only_reads, destroys, idempotent, asks_replicate: what programs may show, or ask people about, before they call it.
    """

    run: Callable[..., Awaitable[Answer]]
    title: str
    description: str
    needs: Permission = Permission.READ
    properties: Members = field(default_factory=dict)
    required: tuple[str, ...] = ()
    only_reads: bool = True
    destroys: bool = False
    idempotent: bool = False
    asks_replicate: bool = False

    @property
    def schema(self) -> Members:
        """The JSON Schema of the arguments."""
        required = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": self.properties, **required, "additionalProperties": False}

    async def answer(self, call: Call, arguments: Mapping[str, Any] | None) -> Answer:
        """Check who calls, and with what, and do what the tool does. Raises Problem, Rejected, and what that raises."""
        if not call.actor.may(self.needs):
            raise await refused(call.request, self.needs)
        found = schemas.faults(self._validator, self.properties, arguments or {}, "The tool")
        if faults := [Fault(pointer(*path), message[:MAX_FAULT_LENGTH]) for path, message in islice(found, MAX_FAULTS)]:
            raise Rejected("invalid_request", faults)
        return await self.run(call, **(arguments or {}))

    @cached_property
    def _validator(self) -> jsonschema_rs.Validator:
        return schemas.validator(self.schema)


async def _models(call: Call) -> Answer:
    only = call.actor.models
    known = [model for model in await registry.known() if only is None or bare(model.name) in only]
    listed = msgspec.to_builtins([Model.of(model) for model in known])
    members = {"models": listed, "default_model": settings.default_model}
    return Answer(members, members)


async def _model(call: Call, name: str) -> Answer:
    found = await existing_model(name, call.replicate)
    members = msgspec.to_builtins(ModelInFull.whole(found))
    del members["output_schema"]
    members["price"] = _price(Estimate.of(await quotes.of_runs([(found, {})]), 1, None, call.actor))
    return Answer(members, members)


async def _estimate(
    call: Call, prompt: str, model: str | None = None, parameters: Mapping[str, Any] | None = None
) -> Answer:
    one = await admission.checked(prompt, model, parameters, call.replicate, terms_for(call.request))
    tightest = await budgets.tightest(call.actor.person, call.actor.key, {one.name})
    members = _price(Estimate.of(await quotes.of_runs([(one.model, one.parameters)]), 1, tightest, call.actor))
    return Answer(members, members)


def _price(estimate: Estimate) -> Members:
    """Return an estimate in JSON's types. An amount that is not known is null."""
    return {"low": None, "high": None, **msgspec.to_builtins(estimate)}


async def _budget(call: Call) -> Answer:
    actor = call.actor
    applying = [
        budget
        for budget in await limits.listed()
        if budget.scope == Scope.MODEL or budgets.applies(budget, actor.person, actor.key, "")
    ]
    of_all = [budgets.left(budget) for budget in applying if budget.scope != Scope.MODEL]
    spent = totals.summed(await totals.of_day(totals.today(), actor.sees_spending_of))
    members = {
        "left": dollars(min(of_all)) if of_all else None,
        "spent_today": dollars(spent.micros),
        "budgets": msgspec.to_builtins([BudgetState.of(budget, actor) for budget in applying]),
    }
    if settings.standin:
        members["pretend"] = True
    return Answer(members, members)


PROMPT = {"type": "string", "description": "What to make. At most 10,000 characters."}
MODEL = {"type": "string", "description": "owner/name, or owner/name:version. Default: see models."}
PARAMETERS = {"type": "object", "description": "The model's other inputs by name: see model."}
JOB_ID = {"type": "string", "description": "As generate and search answer it."}


def _wait(default: int) -> Members:
    described = f"Seconds to wait for the end of the job, at most {MAX_WAIT_SECONDS}."
    return {"type": "number", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": default, "description": described}


TOOLS: Mapping[str, Tool] = {
    "models": Tool(_models, "List models", "Lists the models, with what each makes, and the default one."),
    "model": Tool(
        _model,
        "Show a model",
        "Shows a model's parameters (JSON Schema), their defaults, and the price of a run with these in US dollars;"
        " low and high are null if it is not known.",
        properties={"name": {"type": "string", "description": "owner/name, such as stability-ai/sdxl."}},
        required=("name",),
        asks_replicate=True,
    ),
    "estimate": Tool(
        _estimate,
        "Estimate a cost",
        "Checks what you would generate, and says what it is expected to cost in US dollars, from low to high (null if"
        " that is not known), and what is left of the tightest budget. Makes nothing.",
        Permission.SUBMIT,
        {"prompt": PROMPT, "model": MODEL, "parameters": PARAMETERS},
        ("prompt",),
        asks_replicate=True,
    ),
    "generate": Tool(
        mcp_jobs.generate,
        "Generate media",
        "Makes a picture, video or sound. This may cost money. Answers the job, with a preview and links to its files"
        " once it is completed; if it has not ended by then, call job. A repeated idempotency_key makes nothing new.",
        Permission.SUBMIT,
        {
            "prompt": PROMPT,
            "model": MODEL,
            "parameters": PARAMETERS,
            "wait": _wait(MAX_WAIT_SECONDS),
            "idempotency_key": {
                "type": "string",
                "description": "Up to 255 visible ASCII characters, new for each job.",
            },
        },
        ("prompt",),
        only_reads=False,
        asks_replicate=True,
    ),
    "job": Tool(
        mcp_jobs.job,
        "Show a job",
        "Shows a job as it is now, or waits for its end, with a preview and links to its files.",
        properties={"job_id": JOB_ID, "wait": _wait(0)},
        required=("job_id",),
    ),
    "search": Tool(
        mcp_jobs.search,
        "Search jobs",
        "Finds jobs, newest first, by words and fields, such as: red fox model:flux status:failed rating:>=4"
        " after:2026-09 by:me -tag:draft cost:>0.10. A minus leaves out; no q finds all.",
        properties={
            "q": {"type": "string"},
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_FOUND, "default": 10},
            "cursor": {"type": "string", "description": "The next of the answer before, for what follows."},
        },
    ),
    "cancel": Tool(
        mcp_jobs.cancel,
        "Cancel a job",
        "Cancels a job. cancel says what came of it: dequeued, requested (it is being canceled) or too_late (it had"
        " ended).",
        Permission.SUBMIT,
        {"job_id": JOB_ID},
        ("job_id",),
        only_reads=False,
        destroys=True,
        idempotent=True,
        asks_replicate=True,
    ),
    "budget": Tool(
        _budget,
        "Show budgets",
        "Shows what you may still spend, in US dollars: left is null if nothing limits all of your jobs.",
    ),
}
"""Every tool, by the name that it is called by."""
