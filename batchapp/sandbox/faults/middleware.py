"""ASGI middleware that applies faults before and after the processing of a call."""

from collections.abc import Mapping
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchapp.sandbox.accounts import account_id, bearer_key
from batchapp.sandbox.api.errors import service_unavailable
from batchapp.sandbox.context import Sandbox
from batchapp.sandbox.faults.batch_faults import apply_batch_faults
from batchapp.sandbox.faults.json_faults import JsonFaults
from batchapp.sandbox.faults.kinds import (
    CREATE_REFUSALS,
    CREATE_REFUSALS_KEY,
    EARLY_CANCEL_KEY,
    JSON_FAULTS,
    LINE_FAULTS,
)
from batchapp.sandbox.faults.line_faults import LineFaults
from batchapp.sandbox.faults.refusals import refusal_of, web_page
from batchapp.sandbox.faults.stream_faults import Cut, Drip, Endless, Trickle
from batchapp.sandbox.faults.switches import Rule, SwitchError, parse_key_rules
from batchapp.sandbox.server import ServerControl, close_connection

# Faults that need the whole response before any part is sent. Those that change a batch change it
# before its response arrives, so that the next call finds the change.
BUFFERING_FAULTS = JSON_FAULTS | {
    "reopen",
    "late-landing",
    "lost-reply",
    "restart-after",
    "error-after",
    "unavailable-after",
    "html-after",
    "empty",
    "slow",
}

RulesByFault = Mapping[str, Rule]


class FaultMiddleware:
    def __init__(self, app: ASGIApp, sandbox: Sandbox, server_control: ServerControl) -> None:
        self._app = app
        self._sandbox = sandbox
        self._server_control = server_control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        faults, path = self._sandbox.faults, scope["path"]
        key = bearer_key(Request(scope))
        has_rules = bool(faults.rules) or "~" in key
        if not has_rules or path.startswith("/_sandbox/") or path == "/healthz":
            await self._app(scope, receive, send)
            return
        try:
            rules = faults.rules + (parse_key_rules(key) if "~" in key else ())
        except SwitchError as exc:
            await PlainTextResponse(f"sandbox: {exc}", 400)(scope, receive, send)
            return
        account = account_id(key)
        matching = [rule for rule in rules if rule.matches(scope["method"], path, account)]
        moment = self._sandbox.now()
        applied = await run_in_threadpool(faults.count_call, matching, moment) if matching else []
        rules_by_fault = {rule.fault: rule for rule in applied}
        if not await self._reject(rules_by_fault, scope, receive, send):
            await self._serve(rules_by_fault, scope, receive, send)

    async def _reject(
        self, rules: RulesByFault, scope: Scope, receive: Receive, send: Send
    ) -> bool:
        """Return True after ending the call without processing, if a fault requires that."""
        has_connection_fault = bool({"refuse", "restart", "lost-request"} & rules.keys())
        refusal = refusal_of(rules, scope["path"])
        if not has_connection_fault and refusal is None:
            return False
        await _drain(receive)
        if refusal is not None and not has_connection_fault:
            await refusal(scope, receive, send)
            return True
        if "refuse" in rules:
            self._server_control.refuse_connections(
                partial(self._sandbox.sleep, rules["refuse"].amount)
            )
        if "restart" in rules:
            self._server_control.restart()
        await close_connection(scope, receive)
        return True

    async def _serve(
        self, rules: RulesByFault, scope: Scope, receive: Receive, send: Send
    ) -> None:
        scope[CREATE_REFUSALS_KEY] = {
            fault: rules[fault].value for fault in CREATE_REFUSALS if fault in rules
        }
        scope[EARLY_CANCEL_KEY] = "cancel-before-population" in rules
        response = _FaultyResponse(rules, self._sandbox, scope, receive, send)
        app_receive = receive
        if "late-request" in rules:
            app_receive = await _buffer(receive)
            await self._sandbox.sleep(rules["late-request"].amount)
        await self._app(scope, app_receive, response.send)
        await run_in_threadpool(apply_batch_faults, self._sandbox, rules, scope["path"])
        if "restart-after" in rules:
            self._server_control.restart()
        if {"restart-after", "lost-reply"} & rules.keys():
            await close_connection(scope, receive)
            return
        await response.finish()


class _FaultyResponse:
    """Pass the messages of the application through the faults that change responses."""

    def __init__(
        self, rules: RulesByFault, sandbox: Sandbox, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._rules = rules
        self._sandbox = sandbox
        self._scope, self._receive, self._send = scope, receive, send
        self._buffer: list[Message] = []
        self._is_buffered = not BUFFERING_FAULTS.isdisjoint(rules)
        self._json_faults = JsonFaults(rules, sandbox, scope["path"])
        for fault in ("cut", "cut-announced", "cut-clean"):
            if fault in rules:
                self._send = Cut(
                    rules[fault], self._send, lambda: close_connection(scope, receive)
                )
        if "trickle" in rules:
            self._send = Trickle(rules["trickle"].amount, self._send)
        if "drip" in rules:
            self._send = Drip(rules["drip"].amount, receive, self._send)
        if "endless-content" in rules:
            self._send = Endless(receive, self._send)
        line_rules = [rule for fault, rule in rules.items() if fault in LINE_FAULTS]
        if line_rules:
            self._send = LineFaults(line_rules, sandbox.faults.seed, scope, self._send)

    async def send(self, message: Message) -> None:
        if self._is_buffered:
            self._buffer.append(message)
        else:
            await self._send(message)

    async def finish(self) -> None:
        """Send the buffered response or its replacement."""
        if "slow" in self._rules:
            await self._sandbox.sleep(self._rules["slow"].amount)
        replacement = self._replacement() if self._is_buffered else None
        if replacement is not None:
            await replacement(self._scope, self._receive, self._send)
            return
        for message in self._buffer:
            await self._send(message)

    def _replacement(self) -> Response | None:
        if "error-after" in self._rules:
            return PlainTextResponse("Internal server error", 500)
        if "unavailable-after" in self._rules:
            return service_unavailable().response
        if "html-after" in self._rules:
            return web_page(self._rules["html-after"])
        if "empty" in self._rules:
            return Response(None, 200)
        status = self._buffer[0]["status"] if self._buffer else 0
        body = b"".join(message.get("body", b"") for message in self._buffer)
        return self._json_faults.replacement(status, body)


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _buffer(receive: Receive) -> Receive:
    """Receive the whole body now, because the client may disconnect before the processing."""
    body, is_more = b"", True
    while is_more:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_buffered() -> Message:
        return next(messages, None) or await receive()

    return receive_buffered
