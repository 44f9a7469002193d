"""`/v1/models` and `/v1/chat/completions`: authorisation, following a run, and errors.

Each request is a session of its own, stored in the log like those of the page. When a client disconnects, its run is
stopped.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack, aclosing, contextmanager

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from runtime.api import shapes
from runtime.api.shapes import ApiError, Asked, Reply
from runtime.api.texts import finish, solution, thinking
from runtime.engines.base import ContextOverflow, Metered
from runtime.errors import SoliloquyError
from runtime.events import Failed
from runtime.log.run import Run
from runtime.log.store import SessionLog, StoreError
from runtime.session.follower import Follower
from runtime.session.loader import Loading
from runtime.session.session import Progress, Session
from runtime.settings import Settings, SettingsError
from runtime.text import UnreadableError, clean

LARGEST = 1 << 20
"""Largest request, in bytes; a problem has a few thousand at most."""
AT_ONCE = 8
"""Most runs at a time: each occupies a thread of the server, and the page needs threads too."""
SILENCE = 10.0
"""Seconds without output after which a stream sends a comment, as proxies close idle connections."""
AGAIN = {"Retry-After": "5"}
NOT_AGAIN = {"x-should-retry": "false"}
"""Stops clients from repeating a request that would fail again."""

Endpoint = Callable[[Request], Awaitable[Response]]


def new_key() -> str:
    """A random key (192 bits)."""
    return f"sk-{secrets.token_urlsafe(24)}"


class Api:
    """The routes of one server, for clients that send the key."""

    def __init__(self, model: Loading, settings: Settings, log: SessionLog | None, key: str) -> None:
        self._model, self._settings, self._log, self._key = model, settings, log, key.encode()
        self._started, self._running = int(time.time()), 0
        self.routes = [
            Route("/v1/models", self._guarded(self.models)),
            Route("/v1/models/{name}", self._guarded(self.model)),
            Route("/v1/chat/completions", self._guarded(self.complete), methods=["POST"]),
        ]

    def _guarded(self, answer: Endpoint) -> Endpoint:
        """The endpoint, after the key has been checked; errors become replies in OpenAI's format."""

        async def endpoint(request: Request) -> Response:
            try:
                self._admit(request)
                return await answer(request)
            except ApiError as error:
                return JSONResponse(error.body, error.status, error.headers)

        return endpoint

    def _admit(self, request: Request) -> None:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        # Compared in constant time, so that the time does not reveal how much of a key is right.
        if not hmac.compare_digest(given.strip().encode(), self._key) or kind.lower() != "bearer":
            text = "The key is missing or wrong. Send the key that was set, or printed at the start, as a bearer token."
            # The body is not read, so the connection cannot be reused.
            raise ApiError(text, 401, "invalid_api_key", headers={"WWW-Authenticate": "Bearer", "Connection": "close"})

    async def models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [shapes.model(name, self._started) for name in shapes.MODELS]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        shapes.mode_of(name)
        return JSONResponse(shapes.model(name, self._started))

    async def complete(self, request: Request) -> Response:
        """Solve the problem in the user's last message."""
        asked = shapes.read(await _body(request))
        with ExitStack() as seat, _explained():
            settings = self._settings.with_(
                mode=asked.mode,
                temperature=asked.temperature,
                seed=asked.seed,
                max_tokens=asked.max_completion_tokens or asked.max_tokens,
            )
            problem = clean(asked.problem)
            if self._model.readiness.state == "loading":
                raise ApiError("The model is still loading. Try again in some seconds.", 503, "loading", headers=AGAIN)
            seat.enter_context(self._seat())
            engine = Metered(await run_in_threadpool(self._model))
            session = await run_in_threadpool(_session, settings, engine, self._log)
            follower = Follower(lambda cancel: session.solve(problem, cancel=cancel))
            seat.callback(follower.cancel.set)
            if asked.stream:
                followed = _followed(follower)
                first = await _first_text(followed, request)
                return Stream(_pieces(asked, first, followed, engine), seat.pop_all())
            return await _whole(asked, follower, engine, request)

    @contextmanager
    def _seat(self) -> Generator[None]:
        """Counts one of the AT_ONCE runs. Raises ApiError if there are as many already."""
        if self._running >= AT_ONCE:
            raise ApiError(f"{AT_ONCE} problems are being solved. Try again later.", 429, "busy", headers=AGAIN)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


def _session(settings: Settings, engine: Metered, log: SessionLog | None) -> Session:
    """A session; if the log cannot be used, one that is not stored."""
    try:
        return Session(settings, lambda: engine, log)
    except StoreError:
        return Session(settings, lambda: engine, None)


class Stream(StreamingResponse):
    """Server-sent events; when the client disconnects, `pieces` is closed and `seat` released."""

    def __init__(self, pieces: AsyncGenerator[str], seat: ExitStack) -> None:
        super().__init__(pieces, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._pieces, self._seat = pieces, seat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._seat:
            async with aclosing(self._pieces):
                await super().__call__(scope, receive, send)


async def _whole(asked: Asked, follower: Follower, engine: Metered, request: Request) -> Response:
    latest = None
    async with aclosing(_followed(follower)) as followed:
        async for progress in followed:
            latest = progress or latest
            if await request.is_disconnected():
                return Response(status_code=499)  # the client has closed the connection
    run = _refuse_failed(latest)
    message = {"content": solution(run), "reasoning_content": thinking(run) or None}
    return JSONResponse(Reply(asked.model).whole(message, finish(run.transcript.talk), run, engine.usage))


async def _first_text(followed: AsyncGenerator[Progress | None], request: Request) -> Progress | None:
    """The first progress with text, or the latest after SILENCE seconds. Waiting for it lets an early failure be
    answered with an error status instead of a broken stream. Raises ApiError."""
    latest, since = None, time.monotonic()
    async for progress in followed:
        latest = progress or latest
        if any(text for _, text in _texts(latest)) or time.monotonic() - since > SILENCE:
            break
        if await request.is_disconnected():
            break
    if latest and latest.run.status == "failed":
        _refuse_failed(latest)
    return latest


async def _pieces(
    asked: Asked, first: Progress | None, followed: AsyncGenerator[Progress | None], engine: Metered
) -> AsyncGenerator[str]:
    """The events of a streamed reply; an error is the last one."""
    reply, sent, latest = Reply(asked.model), {"reasoning_content": "", "content": ""}, None
    yield reply.piece({"role": "assistant", "content": ""})
    sent_at = time.monotonic()
    try:
        async with aclosing(_joined(first, followed)) as all_of_it:
            async for progress in all_of_it:
                latest = progress or latest
                for name, text in _texts(latest):
                    if new := text[len(sent[name]) :]:
                        yield reply.piece({name: new})
                        sent_at = time.monotonic()
                    sent[name] = text
                if time.monotonic() - sent_at > SILENCE:
                    yield shapes.KEEP_ALIVE
                    sent_at = time.monotonic()
        run = _refuse_failed(latest)
    except ApiError as error:
        yield shapes.event(error.body)
        return
    yield reply.piece({}, finish(run.transcript.talk), soliloquy=shapes.ending(run))
    if asked.stream_options and asked.stream_options.include_usage:
        yield reply.usage(engine.usage)
    yield shapes.DONE


async def _joined(first: Progress | None, followed: AsyncGenerator[Progress | None]) -> AsyncGenerator[Progress | None]:
    async with aclosing(followed):
        yield first
        async for progress in followed:
            yield progress


async def _followed(follower: Follower) -> AsyncGenerator[Progress | None]:
    """The progress of a run, which is stopped when this generator is closed. Raises ApiError."""
    try:
        with _explained():
            async for progress in iterate_in_threadpool(follower):
                yield progress
    finally:
        follower.cancel.set()


@contextmanager
def _explained() -> Generator[None]:
    """Turns our errors into ApiError, with the HTTP status for the client."""
    try:
        yield
    except ApiError:
        raise
    except (UnreadableError, SettingsError) as error:
        raise ApiError(str(error)) from error
    except SoliloquyError as error:
        raise ApiError(str(error), 503, "not_ready") from error


def _refuse_failed(ended: Progress | None) -> Run:
    """The finished run. Raises ApiError if it failed."""
    if ended is None:
        raise ApiError("The run ended without a result. Ask again.", 500, "run_failed", headers=NOT_AGAIN)
    run, event = ended.run, ended.event
    if run.status != "failed":
        return run
    if isinstance(event, Failed) and event.kind == ContextOverflow.kind:
        raise ApiError(run.outcome.note, 400, "context_length_exceeded", "messages")
    raise ApiError(run.outcome.note, 500, "run_failed", headers=NOT_AGAIN)


def _texts(latest: Progress | None) -> tuple[tuple[str, str], ...]:
    if latest is None:
        return ()
    return (("reasoning_content", thinking(latest.run)), ("content", solution(latest.run)))


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            text = f"The request has more than {LARGEST:,} bytes. Send only the problem."
            raise ApiError(text, 413, headers={"Connection": "close"})
    return body
