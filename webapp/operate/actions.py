"""What operators do on their page: drain a worker, retry or dismiss failures that are alike."""

from uuid import UUID

from litestar import Response, post, route
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.accounts import audit
from tasks.jobs import workers
from tasks.operations import failures
from tasks.operations.failures import Group
from webapp.http.authentication import requester
from webapp.http.errors import AnyRequest, Problem
from webapp.http.methods import READ
from webapp.render import templates
from webapp.schemas.codes import Code

PAGE = "/operate"


@post("/operate/workers/{worker_id:uuid}/drain", status_code=303)
async def drain(request: AnyRequest, worker_id: FromPath[UUID]) -> Redirect:
    """Have a worker claim no more jobs. What it runs goes on."""
    return await _drain(request, worker_id, True)


@post("/operate/workers/{worker_id:uuid}/resume", status_code=303)
async def resume(request: AnyRequest, worker_id: FromPath[UUID]) -> Redirect:
    """Have a worker claim jobs again."""
    return await _drain(request, worker_id, False)


@route("/operate/failures/{fingerprint:str}", http_method=READ)
async def ask(fingerprint: FromPath[str]) -> Response[str]:
    """Return the question whether failures are to be retried, with what that costs."""
    group = await _existing(fingerprint)
    return templates.page("pages/retry.html", group=group, price=await failures.price(group))


@post("/operate/failures/{fingerprint:str}/retry", status_code=303)
async def retry(request: AnyRequest, fingerprint: FromPath[str]) -> Redirect:
    """Retry failures that are alike."""
    group = await _existing(fingerprint)
    number = await failures.retry(group)
    await audit.note(requester(request), "failures retried", f"{group.code}: {group.text}", after={"jobs": number})
    return Redirect(PAGE, status_code=303)


@post("/operate/failures/{fingerprint:str}/dismiss", status_code=303)
async def dismiss(request: AnyRequest, fingerprint: FromPath[str]) -> Redirect:
    """Show failures that are alike no more, until another job fails like them."""
    group = await _existing(fingerprint)
    await failures.dismiss(group)
    after = {"jobs": len(group.job_ids)}
    await audit.note(requester(request), "failures dismissed", f"{group.code}: {group.text}", after=after)
    return Redirect(PAGE, status_code=303)


async def _drain(request: AnyRequest, worker_id: UUID, draining: bool) -> Redirect:
    worker = await workers.drain(worker_id, draining)
    if worker is None:
        raise Problem(Code.NOT_FOUND, "There is no such worker.")
    subject = f"{worker.host}, process {worker.process}"
    await audit.note(requester(request), "worker drained" if draining else "worker resumed", subject)
    return Redirect(PAGE, status_code=303)


async def _existing(fingerprint: str) -> Group:
    group = await failures.find(fingerprint)
    if group is None:
        raise Problem(Code.NOT_FOUND, "There are no such failures, or they were dismissed.")
    return group


ROUTES = [drain, resume, ask, retry, dismiss]
