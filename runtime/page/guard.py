"""Access control of the page: ASGI middleware before all of its routes.

It protects a server on a person's own computer against three attacks. Web pages in other tabs can make the browser send
requests: those that the browser marks as coming from another site are refused. Other users of the computer can connect
to the port: requests need the token of the printed address, which the browser then keeps in a cookie. Large bodies can
fill memory or disk: bodies are read here, up to a limit. The API for other programs has its own key and limit
(`runtime/api`).
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import time
from base64 import b64decode
from binascii import Error as Base64Error
from html import escape
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.view.words import understood, word

PARAMETER = "token"
LARGEST = 1 << 20
"""Largest request in bytes; the longest texts of the page have a few thousand."""
LARGEST_UPLOAD = LARGEST + (64 << 10)
"""Largest upload of a file of attempts in bytes, including the browser's form data around it."""
UPLOAD = "/gradio_api/upload"
ASKED_BY_ITSELF = "/gradio_api/startup-events"
"""Gradio requests this once, without a token, while it launches; later requests have no effect."""
WRITES = frozenset(f"/gradio_api/{name}" for name in ("queue/join", "run/predict", "cancel", "reset"))
"""The only paths that the page sends to; Gradio's others are not served."""
EVERYWHERE = frozenset(("0.0.0.0", "::"))
"""Addresses to listen on that mean all addresses of this machine."""
READS = ("GET", "HEAD", "OPTIONS")
API = "/v1/"
A_YEAR = 365 * 24 * 3600
TICKET_LASTS = 120.0
"""Seconds that a ticket is valid."""
AFTER_A_WRONG_PASSWORD = 1.0
"""Seconds to wait after a wrong password."""


class Access:
    """What opens the page: its token, tickets for one visit, and a password if one is set."""

    def __init__(self, token: str, password: str | None = None) -> None:
        self.token, self.password = token, password
        self._tickets: dict[str, float] = {}

    def address(self, bare: str) -> str:
        """The address with the token, to print; it must stay secret."""
        return _with_token(bare, self.token)

    def address_for_one_visit(self, bare: str) -> str:
        """The address with a ticket, for a browser's command line. Other users of the computer can see that, so the
        ticket opens the page only once and for TICKET_LASTS."""
        ticket = new_token()
        self._tickets[ticket] = time.monotonic() + TICKET_LASTS
        return _with_token(bare, ticket)

    def is_token(self, token: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def lets_in(self, token: str) -> bool:
        """Whether this is the token or a valid ticket, which is then used up."""
        return self.is_token(token) or self._tickets.pop(token, 0.0) > time.monotonic()

    def has_password(self, headers: Headers) -> bool:
        """Whether a request has the password (HTTP basic authentication, with any user name)."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        if self.password is None or kind.lower() != "basic":
            return False
        try:
            _, _, stated = b64decode(given.strip(), validate=True).partition(b":")
        except Base64Error:
            return False
        return hmac.compare_digest(stated, self.password.encode())


def new_token() -> str:
    return secrets.token_urlsafe(24)


def kept_token(home: Path) -> str:
    """The stored token of this home, so that open pages work after a restart; a new one if it cannot be stored."""
    path = home / "page-token"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(token := new_token())
        except FileExistsError:
            path.chmod(0o600)
            token = path.read_text("utf-8").strip()
            if len(token) < 32:  # cut short by a full disk
                path.write_text(token := new_token(), "utf-8")
    except (OSError, UnicodeDecodeError):
        return new_token()
    return token


def _with_token(bare: str, token: str) -> str:
    return urlunsplit(urlsplit(bare)._replace(query=urlencode({PARAMETER: token})))


class Guard:
    """The middleware. `hosts` are the host names under which the page may be requested; with one of `EVERYWHERE` any IP
    address is accepted, as DNS rebinding needs a name. `api`: the API's routes check their own key. `uploads`: files
    may be sent."""

    def __init__(self, app: ASGIApp, access: Access, hosts: tuple[str, ...], api: bool, uploads: bool) -> None:
        self.app, self.access, self.hosts, self.api, self.uploads = app, access, hosts, api, uploads
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # the page uses no websockets
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        refused = self._refuse_stranger(scope, headers)
        if refused is None and not ((self.api and path.startswith(API)) or path == ASKED_BY_ITSELF):
            refused = await self._refuse_without_token(scope, headers) or self._refuse_act(scope, headers)
            if refused is None and scope["method"] not in READS:
                body = await _read(receive, headers, LARGEST_UPLOAD if path == UPLOAD else LARGEST)
                if body is None:
                    refused = _refusal("too_large", 413, headers)
                else:
                    receive = _again(body, receive)
        await (refused or self.app)(scope, receive, send)

    def _refuse_stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse requests of other web pages, also under a host name of their own (DNS rebinding). A link may open the
        page."""
        if not self._is_ours(headers.get("host", "")):
            return _refusal("host", 400, headers)
        opened = (scope["method"], scope["path"], headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
        if _is_foreign(headers) and opened != ("GET", "/", "navigate", "document"):
            return _refusal("foreign", 403, headers)
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.hosts or (not EVERYWHERE.isdisjoint(self.hosts) and _is_number(name))

    async def _refuse_without_token(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse requests without token or password. A request with the token gets a cookie and is sent on to the
        address without it: by a page, not by a redirect, as a redirect still counts as started by another program, and
        the browser would not send the cookie."""
        name = f"soliloquy-{(scope.get('server') or ('', 0))[1]}"  # cookies are a host's, whatever its port
        if self.access.is_token(_cookie(headers, name)) or self.access.has_password(headers):
            stated = _parameters(scope)
            return _sent_on(scope) if scope["method"] == "GET" and PARAMETER in stated else None
        if scope["method"] == "GET" and self.access.lets_in(_parameters(scope).get(PARAMETER, "")):
            sent_on = _sent_on(scope)
            sent_on.set_cookie(name, self.access.token, max_age=A_YEAR, httponly=True, samesite="strict")
            return sent_on
        if self.access.password is None:
            return _refusal("closed", 403, headers)
        if "authorization" in headers:
            async with self._one_at_a_time:
                await asyncio.sleep(AFTER_A_WRONG_PASSWORD)
        return _refusal("password", 401, headers, {"WWW-Authenticate": 'Basic realm="Soliloquy", charset="UTF-8"'})

    def _refuse_act(self, scope: Scope, headers: Headers) -> Response | None:
        method, path = scope["method"], scope["path"].rstrip("/")
        if method in READS or (method == "POST" and path in WRITES):
            return None
        if method == "POST" and path == UPLOAD:
            return None if self.uploads else _refusal("no_uploads", 403, headers)
        return _refusal("not_here", 404, headers)


def _is_foreign(headers: Headers) -> bool:
    """Whether the browser marks a request as coming from another page. Another port is another page, although browsers
    call it the same site. Programs that are no browsers do not send these headers."""
    origin = headers.get("origin")
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return True
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _is_number(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


def _cookie(headers: Headers, name: str) -> str:
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value for key, _, value in pairs if key == name), "")


def _parameters(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=None))


def _sent_on(scope: Scope) -> Response:
    """A page that leads to the address without the token, so that the browser's history does not contain it."""
    rest = urlencode({name: value for name, value in _parameters(scope).items() if name != PARAMETER})
    target = escape(f"/?{rest}" if rest else "/")
    page = f'<!DOCTYPE html><title>Soliloquy</title><meta http-equiv="refresh" content="0;url={target}">'
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})


def _refusal(key: str, status: int, headers: Headers, more: dict[str, str] | None = None) -> Response:
    text = word(f"access.{key}", understood(headers.get("accept-language")))
    # The connection is closed, as an unread body would be taken for the next request.
    return PlainTextResponse(f"{text}\n", status, {"Connection": "close", "Cache-Control": "no-store", **(more or {})})


async def _read(receive: Receive, headers: Headers, most: int) -> bytes | None:
    """The body; None if it has more than `most` bytes, by its header or in fact."""
    stated = headers.get("content-length", "0")
    if not stated.isdigit() or int(stated[:20]) > most:
        return None
    parts, length = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > most:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body again."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Any:
        return whole.pop() if whole else await receive()

    return received
