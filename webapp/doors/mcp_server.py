"""The MCP server: it lists the tools, calls them, and puts into the protocol's words what they answer."""

import json
from base64 import b64encode
from importlib import metadata
from typing import Any, cast

import msgspec
from litestar import Request
from litestar.types import Receive, Scope, Send
from mcp import MCPError, types
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from webapp.doors.mcp_jobs import Answer, Call, Report
from webapp.doors.mcp_tools import TOOLS, Tool
from webapp.http.errors import Problem, problem_of

MAX_NAME_LENGTH = 100  # characters of an unknown tool's name that an error quotes
INSTRUCTIONS = (
    "Darkroom makes pictures, videos and sounds from prompts, and keeps them. Call generate; if the job has not ended"
    " when it answers, call job with its job_id and wait. Ask models and model which parameters there are, estimate and"
    " budget what it costs. Never call generate again for a job that you can ask for: each one may cost money."
)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request. Its own session, which ends with it, keeps nothing between requests and processes.

    Our own check of Host stands before this one (webapp/http/hosts.py), so the SDK's is off.
    """
    sessions = StreamableHTTPSessionManager(SERVER, stateless=True)
    async with sessions.run():
        await sessions.handle_request(cast("dict[str, Any]", scope), cast("Any", receive), cast("Any", send))


async def _list(_: ServerRequestContext, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[_described(name, tool) for name, tool in TOOLS.items()])


def _described(name: str, tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(
        title=tool.title, read_only_hint=tool.only_reads, destructive_hint=tool.destroys,
        idempotent_hint=tool.only_reads or tool.idempotent, open_world_hint=tool.asks_replicate,
    )  # fmt: skip
    return types.Tool(
        name=name, title=tool.title, description=tool.description, input_schema=tool.schema, annotations=hints
    )


async def _call(context: ServerRequestContext, asked: types.CallToolRequestParams) -> types.CallToolResult:
    """Call a tool. Whatever goes wrong is an answer that the model reads: it may know better then."""
    tool = TOOLS.get(asked.name)
    if tool is None:
        raise MCPError(types.INVALID_PARAMS, f"There is no tool {asked.name[:MAX_NAME_LENGTH]!r}.")
    assert context.request is not None
    request: Request[Any, Any, Any] = Request(context.request.scope)
    try:
        return _told(await tool.answer(Call(request, _report(context)), asked.arguments))
    except Exception as error:
        return _refusal(problem_of(request, error))


def _report(context: ServerRequestContext) -> Report | None:
    """Return what reports the progress of a call, or None when it shall not be told."""
    if not context.meta or "progress_token" not in context.meta:
        return None

    async def report(seconds: float, message: str) -> None:
        await context.session.report_progress(seconds, message=message)

    return report


def _told(answer: Answer) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(text=json.dumps(answer.text, ensure_ascii=False))]
    if answer.preview:
        content.append(types.ImageContent(data=b64encode(answer.preview).decode(), mime_type="image/webp"))
    content += [
        types.ResourceLink(name=file.name, uri=file.url, mime_type=file.media_type, size=file.bytes)
        for file in answer.files
    ]
    return types.CallToolResult(content=content, structured_content=answer.members)


def _refusal(problem: Problem) -> types.CallToolResult:
    seconds = problem.headers.get("Retry-After")
    text = f"{problem.detail} Try again in {seconds} s." if seconds else problem.detail
    details = msgspec.to_builtins(problem.details())
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=details, is_error=True)


SERVER: Server = Server(
    "darkroom",
    version=metadata.version("darkroom"),
    title="Darkroom",
    instructions=INSTRUCTIONS,
    on_list_tools=_list,
    on_call_tool=_call,
    get_tool_input_schema=lambda name: TOOLS[name].schema if name in TOOLS else None,
)
"""The server. It keeps no state."""
SERVER.middleware.clear()  # it makes spans with names that clients choose; a request has one of ours
