"""How the page is served so that it stays on this machine: what the environment may not change, where it listens, and
that the browser loads nothing from anywhere else, whatever a model may have written. `guard.py` refuses strangers.
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from runtime.errors import SoliloquyError
from runtime.page import guard
from runtime.page.guard import Access, Guard
from runtime.settings import Settings
from runtime.view.words import LANGUAGES

LOOPBACK = ("127.0.0.1", "localhost", "::1")

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)
FIRST_PORT = 7860
PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
SEALED = ("HF_HUB_OFFLINE", *PROXIES, *(name.lower() for name in PROXIES))
_before: dict[str, str | None] = {}
STYLES = ("page.css", "steps.css", "guide.css", "side.css", "studio.css", "compare.css", "models.css")
STATIC = Path(__file__).parent / "static"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for: `words`, else what this program was called with."""
    parser = argparse.ArgumentParser(description="Soliloquy's page, in the browser of this machine.")
    add = parser.add_argument
    add("--server-name", "--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--server-port", "--port", type=_port, help="port; the next free one is taken if it is busy")
    add("--desktop", action="store_const", const="window", dest="show", help="open a window of its own")
    add("--inbrowser", action="store_const", const="tab", dest="show", help="open a browser tab (the default)")
    add("--no-browser", action="store_const", const="address", dest="show", help="only print the address")
    add("--lang", choices=LANGUAGES, help="language of the page; the browser's if not given")
    add("--model", help="name or path of the model")
    add("--no-log", action="store_false", dest="log", default=None, help="keep nothing")
    add("--studio", action="store_true", help="also review what was stored, export it and train with it")
    add("--api", action="store_true", help="also serve /v1/chat/completions and /v1/models to other programs")
    add("--api-key-file", type=_secret, metavar="FILE", dest="api_key", help="holds the key that they must send")
    add("--password-file", type=_secret, metavar="FILE", dest="password", help="holds what the page asks others for")
    add("--api-key", dest="shown", help=argparse.SUPPRESS)  # named, so that it is not taken for --api-key-file
    parser.set_defaults(show="tab")
    given = parser.parse_args(words)
    if given.shown is not None:
        parser.error(
            "every user of this computer can read a key on the command line: write it into a file and give"
            " --api-key-file FILE, or set SOLILOQUY_API_KEY_SERVED"
        )
    if given.api_key and not given.api:
        parser.error("--api-key-file holds the key of the API: give --api too")
    return given


def _secret(path: str) -> str:
    """The first line of a file, which no list of processes shows."""
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            secret = file.readline(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read ({error}); name a text file") from error
    if not secret:
        raise argparse.ArgumentTypeError(f"{path} has nothing in its first line; write the secret there")
    return secret


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; take a number from 1 to 65535")
    return int(text)


def seal_environment() -> None:
    """To be called before Gradio is imported: no telemetry, and no proxies, of which a SOCKS one breaks the import, as
    does NO_PROXY with an address in brackets."""
    for name in SEALED:
        _before.setdefault(name, os.environ.get(name))
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    for name in (*PROXIES, "GRADIO_ALLOWED_PATHS", "GRADIO_ROOT_PATH"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)


def unsealed_environment() -> dict[str, str]:
    """For a process of its own that may ask a hub: the environment with the person's network settings."""
    kept = {name: value for name, value in os.environ.items() if name not in SEALED}
    return kept | {name: value for name, value in _before.items() if value is not None}


def read(name: str) -> str:
    """A file of the page."""
    return (STATIC / name).read_text("utf-8")


def script(*names: str) -> str:
    """Files of one script of the page, after what all of them build with."""
    return "".join(map(read, ["make.js", *names]))


@cache
def private_folder(home: Path, name: str) -> Path:
    """A folder below `home`, for this user's eyes only; where none can be made, one that goes when the program ends."""
    folder = home / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix=f"soliloquy-{name}-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def use_private_folder(home: Path) -> None:
    """Gradio's temporary files go there."""
    os.environ["GRADIO_TEMP_DIR"] = str(private_folder(home, "tmp"))


@cache
def empty_private_folder(home: Path) -> FileLock | None:
    """Delete what a server that has ended left of Gradio's temporary files, unless another one uses them right now. The
    lock says so to later ones, for as long as this program runs."""
    folder = private_folder(home, "tmp")
    lock = FileLock(folder / ".in-use", mode=0o600)
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        return None
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        elif left.name != ".in-use":
            left.unlink(missing_ok=True)
    return lock


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach what listens there."""
    try:
        found = {str(address[0]).partition("%")[0] for *_, address in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ip_address(address).is_loopback for address in found)


def require_reachable(host: str) -> None:
    """Raises OSError if a program that listens at `host` could not be reached from this machine, as without its
    loopback interface."""
    try:
        server = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:  # the search for a port says more
        return
    try:
        with server:
            socket.create_connection(server.getsockname()[:2], timeout=10).close()
    except OSError as error:
        raise OSError(
            f"Nothing at {host} can be reached from this machine ({error.strerror or error}). Switch its network"
            " interface on (`ip link set lo up` for loopback), or choose another --host."
        ) from error


def free_port(host: str, wanted: int | None) -> int:
    """The port asked for, or the next one above it that nobody listens on. Raises OSError if none of 100 is free."""
    require_reachable(host)
    first, refused = wanted or FIRST_PORT, "there is none"
    for port in range(first, min(first + 100, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                refused = error
                continue
            return port
    raise OSError(f"No port from {first} on can be used at {host} ({refused}). Choose another --port or --host.")


OPEN_PAGES = 32
"""Of so many Gradio remembers the widgets, 0.7 MB each: a question that comes after a page was closed opens it anew."""
TRIES = 5
"""Ports that may be taken away between finding and using them."""


class OpenToOthersError(SoliloquyError):
    """The page would be open to whoever reaches this machine."""


def serve(
    page: Any,
    settings: Settings,
    host: str,
    port: int | None = None,
    routes: Sequence[BaseRoute] = (),
    access: Access | None = None,
    uploads: bool = False,
) -> str:
    """Launch a Gradio page, and the `routes` of the API beside it; the value is its address, which opens the page from
    then on. With `uploads` files may be sent to it. Raises OSError, OpenToOthersError."""
    access = access or access_of(settings)
    if not is_loopback(host) and access.password is None:
        raise OpenToOthersError(
            f"At {host} others on the network can reach the page, so it needs a password: set SOLILOQUY_PASSWORD or"
            " give --password-file FILE, or leave --host out to stay on this machine."
        )
    use_private_folder(settings.home)
    hosts = (*LOOPBACK, host.lower(), socket.gethostname().lower())
    middleware = [
        Middleware(ContentPolicy),
        Middleware(Guard, access=access, hosts=hosts, api=bool(routes), uploads=uploads),
    ]
    for _ in range(TRIES - 1):
        chosen = free_port(host, port)
        try:
            return access.address(_launch(page, host, chosen, routes, middleware))
        except OSError:  # another program took it since it was found free
            port = chosen + 1
    return access.address(_launch(page, host, free_port(host, port), routes, middleware))


def access_of(settings: Settings) -> Access:
    """What opens the page of this home."""
    return Access(guard.kept_token(settings.home), settings.password)


def _launch(page: Any, host: str, port: int, routes: Sequence[BaseRoute], middleware: list[Middleware]) -> str:
    css = "".join(map(read, STYLES))
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        inbrowser=False,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        show_error=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        max_file_size=guard.LARGEST,
        state_session_capacity=OPEN_PAGES,
        app_kwargs={"middleware": middleware, "openapi_url": None, "routes": list(routes)},
        theme="base",
        head=f"<style>{css}</style><script>{read('look.js')}{read('typed.js')}</script>",
        # Else Gradio asks for the page once and gives up after 3 seconds, which a busy machine may well need.
        _frontend=False,
    )
    return address


class ContentPolicy:
    """Middleware that tells the browser to load nothing from elsewhere."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        await self.app(scope, receive, send_with_policy if scope["type"] == "http" else send)
