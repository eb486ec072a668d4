"""POST /estimate: what a request for a job or a batch is expected to cost."""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency

from tasks.admission import admission, batches
from tasks.errors import Fault, Rejected
from tasks.jobs import budgets, quotes
from tasks.replicate.client import Replicate
from webapp.http.authentication import actor_of
from webapp.http.requests import body_of, terms_of
from webapp.schemas import describe, examples, money, requests
from webapp.schemas.codes import Code


@post(
    "/estimate",
    status_code=200,
    tags=["Jobs"],
    summary="Estimate what a request will cost",
    responses=describe.problems(
        *describe.BODY, *describe.CHECKED, Code.INVALID_CLIENT, Code.INVALID_MODEL, Code.INVALID_MODELS,
        Code.INVALID_SEEDS, Code.TOO_MANY, *describe.PROVIDER,
    )
    | {200: describe.answer(money.Estimate, "What it is expected to cost.", examples.ESTIMATES)},
    opt=describe.takes(requests.EstimateJobs, examples.REQUESTS),
)  # fmt: skip
async def estimate(request: Request[Any, Any, Any], replicate: NamedDependency[Replicate]) -> Response[money.Estimate]:
    """Check a body of `POST /generate` or `POST /batches`, and return what it is expected to cost. Submits nothing.

    A body with `models` or `seeds` is a batch's, and so are braces with a | in its prompt then.
    """
    body, unknown = await body_of(request, requests.EstimateJobs)
    terms = terms_of(body, request)
    if body.models is None and body.seeds is None:
        one = await admission.checked(body.prompt, body.model, body.parameters, replicate, terms, unknown)
        runs: list[quotes.Run] = [(one.model, one.parameters)]
        names = {one.name}
    else:
        if body.model is not None:
            raise Rejected("invalid_request", [Fault("/model", "Name either model or models.")])
        matrix = await batches.checked(body.prompt, body.models, body.seeds, body.parameters, replicate, terms, unknown)
        known = dict(zip(matrix.names, matrix.models, strict=True))
        runs = [(known[name], parameters) for _, name, parameters in matrix.requests]
        names = set(known)
    tightest = await budgets.tightest(terms.owner.person, terms.owner.key, names)
    return Response(money.Estimate.of(await quotes.of_runs(runs), len(runs), tightest, actor_of(request)))
