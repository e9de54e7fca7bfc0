"""The emulator as an ASGI application.

It speaks ASGI directly, without a framework: for small calls, routing and headers are most of the work,
and the emulator must keep up with the clients that it measures.
"""

import asyncio
import logging
import time
import zlib
from email.utils import formatdate
from typing import Final

from starlette.types import Receive, Scope, Send

from dinmo_pipeline.emulator import errors
from dinmo_pipeline.emulator.call import HTML, Call, Response
from dinmo_pipeline.emulator.choices import Version
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.errors import ApiError
from dinmo_pipeline.emulator.faults import Fault
from dinmo_pipeline.emulator.http import gate
from dinmo_pipeline.emulator.http.routes import Match, Route, Router
from dinmo_pipeline.emulator.http.wire import Request, hang_up, read, send_response, status_line
from dinmo_pipeline.emulator.rate import Admission, admit

# A call that was delayed until after a reset must not reach the new workspace, which has the same ids.
_FOR_A_PAST_WORKSPACE: Final = Fault(kind="drop_before")
_log: Final = logging.getLogger(__name__)
_OK: Final = 200
_UNMATCHED: Final = "(unknown)"
_GATEWAY_PAGE: Final = b"<html><head><title>Error</title></head><body><h1>Error</h1></body></html>"

Headers = dict[str, str]


class App:
    """The ASGI application of one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._router = Router()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the emulator serves HTTP, not {scope['type']}")
        request = await read(scope, receive)
        match = self._router.match(request.method, request.path)
        if match is not None and match.route.is_own:
            await send_response(send, self._own(request, match), {})
            return
        await self._official(request, match, scope, receive, send)

    def _own(self, request: Request, match: Match) -> Response:
        version = self._emulator.settings.default_version
        call = Call(match.values, request.query, request.body, version)
        try:
            return self._handled(match.route, call)
        except ApiError as error:
            return Response(errors.body(error, request_id=""), error.status)

    async def _official(
        self, request: Request, match: Match | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        started = time.perf_counter()
        emulator = self._emulator
        template = match.route.template if match else _UNMATCHED
        stats = emulator.stats
        stats.calls[f"{request.method} {template}"] += 1
        headers = {
            "Date": formatdate(emulator.clock(), usegmt=True),
            "Server": "nginx",
            "X-Request-Id": emulator.request_ids.request(),
        }
        outcome = await self._outcome(request, match, template, headers)
        if isinstance(outcome, Fault):
            stats.statuses["lost"] += 1
            after_s = outcome.seconds if outcome.kind.startswith("timeout") else 0.0
            await hang_up(scope, receive, after_s=after_s)
            return
        stats.statuses[str(outcome.status)] += 1
        writes = match is not None and match.route.writes
        headers |= _closing_headers(outcome, writes=writes)
        headers["X-Runtime"] = f"{time.perf_counter() - started:.6f}"
        await send_response(send, outcome, headers)

    async def _outcome(
        self, request: Request, match: Match | None, template: str, headers: Headers
    ) -> Response | Fault:
        """The response to a call, or the fault that swallows it. Adds to the headers."""
        settings, resets = self._emulator.settings, self._emulator.resets
        try:
            gate.check_token(request.headers, settings.token)
            admission = self._counted(headers)
            version = gate.served_version(request.headers, settings.default_version)
            headers["Intercom-Version"] = version
            gate.check_budget(admission)
            delay_s, fault = self._emulator.faults.of_call(request.method, template)
            if delay_s or settings.latency_ms:
                await asyncio.sleep(delay_s + settings.latency_ms / 1000)
                if self._emulator.resets != resets:
                    return _FOR_A_PAST_WORKSPACE
            if fault is None:
                return self._carried_out(request, match, version, headers)
            if fault.kind.endswith("after"):
                self._carried_out(request, match, version, headers)
            return _failed(fault, headers)
        except ApiError as error:
            return _error_response(error, headers)

    def _counted(self, headers: Headers) -> Admission:
        emulator = self._emulator
        admission = admit(emulator.window, emulator.clock(), emulator.settings.rate_limit)
        emulator.window = admission.window
        emulator.stats.max_in_window = max(emulator.stats.max_in_window, admission.window.used)
        emulator.stats.refused += not admission.admitted
        headers |= {
            "X-RateLimit-Limit": str(admission.limit),
            "X-RateLimit-Remaining": str(admission.remaining),
            "X-RateLimit-Reset": str(admission.reset),
        }
        return admission

    def _carried_out(
        self, request: Request, match: Match | None, version: Version, headers: Headers
    ) -> Response:
        settings = self._emulator.settings
        try:
            gate.check_accept(request.headers)
            if match is None:
                raise errors.resource_not_found()
            gate.check_permission(match.route.scope, settings)
            call = Call(match.values, request.query, request.body, version)
            return self._handled(match.route, call)
        except ApiError as error:
            return _error_response(error, headers)

    def _handled(self, route: Route, call: Call) -> Response:
        try:
            return route.handler(self._emulator, call)
        except ApiError:
            raise
        except Exception as error:
            # Logged, since a defect of the emulator must not look like an injected fault.
            _log.exception("the emulator failed on %s %s", route.method, route.template)
            raise ApiError(500, "server_error", "The emulator failed; see its log") from error


def _failed(fault: Fault, headers: Headers) -> Response | Fault:
    """The response that a fault gives, or the fault itself if there is no response.

    Raises:
        ApiError: The fault's own, if it is an error response.
    """
    if fault.kind == "status":
        code = fault.code or errors.usual_code(fault.status)
        raise ApiError(fault.status, code, f"Injected fault: {code}")
    if fault.kind == "html":
        headers.clear()
        return Response(_GATEWAY_PAGE, fault.status, HTML)
    return fault


def _error_response(error: ApiError, headers: Headers) -> Response:
    body = errors.body(error, headers["X-Request-Id"])
    return Response(body, error.status, headers=error.headers)


def _closing_headers(response: Response, *, writes: bool) -> Headers:
    """The last headers of a response. Recorded: an ETag only on success, a cookie after a write."""
    if response.content_type == HTML:
        return {}
    if response.status != _OK:
        return {"Status": status_line(response.status), "Cache-Control": "no-cache"}
    headers = {
        "Status": status_line(response.status),
        "Cache-Control": "max-age=0, private, must-revalidate",
        "ETag": f'W/"{zlib.crc32(response.body):08x}"',
    }
    if writes:
        headers["Set-Cookie"] = "recent_write=1; path=/; max-age=1"
    return headers
