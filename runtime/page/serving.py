"""Serves the page to this machine only: command line, environment, address and port, and a content policy.

The content policy makes the browser load nothing from elsewhere, whatever a model may have written. `guard.py` controls
access.
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
    """Parse the command line: `words`, or the program's own arguments."""
    parser = argparse.ArgumentParser(description="Open Soliloquy in the browser of this machine.")
    add = parser.add_argument
    add("--server-name", "--host", default="127.0.0.1", help="address to listen on; default %(default)s")
    add("--server-port", "--port", type=_port, help=f"port; default {FIRST_PORT}, or the next free one")
    add("--desktop", action="store_const", const="window", dest="show", help="open a window of its own")
    add("--inbrowser", action="store_const", const="tab", dest="show", help="open a browser tab (default)")
    add("--no-browser", action="store_const", const="address", dest="show", help="only print the address")
    add("--lang", choices=LANGUAGES, help="language of the page; default: the browser's")
    add("--model", help="name of an installed model, or path of a GGUF file; default: what fits in memory")
    add("--no-log", action="store_false", dest="log", default=None, help="do not store runs")
    add("--studio", action="store_true", help="add the tabs to compare, review, export, train and manage models")
    add("--api", action="store_true", help="also serve /v1/chat/completions and /v1/models to other programs")
    add("--api-key-file", type=_secret, metavar="FILE", dest="api_key", help="file with the key of the API")
    add("--password-file", type=_secret, metavar="FILE", dest="password", help="file with the password of the page")
    add("--api-key", dest="shown", help=argparse.SUPPRESS)  # named, so that it is not taken for --api-key-file
    parser.set_defaults(show="tab")
    given = parser.parse_args(words)
    if given.shown is not None:
        parser.error(
            "every user of this computer can see a key on the command line: write it into a file and give"
            " --api-key-file FILE, or set SOLILOQUY_API_KEY_SERVED"
        )
    if given.api_key and not given.api:
        parser.error("--api-key-file is only used with --api: give --api too")
    return given


def _secret(path: str) -> str:
    """The first line of a file; unlike an argument, other users cannot see it in the list of processes."""
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            secret = file.readline(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read ({error}); give a text file") from error
    if not secret:
        raise argparse.ArgumentTypeError(f"{path} has nothing in its first line; write the secret there")
    return secret


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 1 to 65535")
    return int(text)


def seal_environment() -> None:
    """Turn off telemetry and proxies; call this before Gradio is imported. A SOCKS proxy breaks the import, as does an
    address in brackets in NO_PROXY."""
    for name in SEALED:
        _before.setdefault(name, os.environ.get(name))
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    for name in (*PROXIES, "GRADIO_ALLOWED_PATHS", "GRADIO_ROOT_PATH"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)


def unsealed_environment() -> dict[str, str]:
    """The environment with the user's network settings, for a process that may use the network."""
    kept = {name: value for name, value in os.environ.items() if name not in SEALED}
    return kept | {name: value for name, value in _before.items() if value is not None}


def read(name: str) -> str:
    """The text of a file of `static`."""
    return (STATIC / name).read_text("utf-8")


def script(*names: str) -> str:
    """One script of several files of `static`, after the helpers that all of them use."""
    return "".join(map(read, ["make.js", *names]))


@cache
def private_folder(home: Path, name: str) -> Path:
    """A folder in `home` that only this user can read; if it cannot be used, a temporary one, deleted at exit."""
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
    """Let Gradio put its temporary files into a private folder."""
    os.environ["GRADIO_TEMP_DIR"] = str(private_folder(home, "tmp"))


@cache
def empty_private_folder(home: Path) -> FileLock | None:
    """Delete Gradio's temporary files of servers that have ended; returns a lock, held until this program ends, that
    stops later servers from deleting ours. None if another server holds it, and nothing is deleted."""
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
    """Whether only programs of this machine can reach this address."""
    try:
        found = {str(address[0]).partition("%")[0] for *_, address in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ip_address(address).is_loopback for address in found)


def require_reachable(host: str) -> None:
    """Raises OSError if a server at `host` cannot be reached from this machine, as without a loopback interface."""
    try:
        server = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:  # `free_port` raises a better error for this
        return
    try:
        with server:
            socket.create_connection(server.getsockname()[:2], timeout=10).close()
    except OSError as error:
        raise OSError(
            f"{host} cannot be reached from this machine ({error.strerror or error}). Turn its network interface on"
            " (`ip link set lo up` for loopback), or choose another --host."
        ) from error


def free_port(host: str, wanted: int | None) -> int:
    """The wanted port (None: FIRST_PORT), or the next free one. Raises OSError if none of 100 is free."""
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
    raise OSError(f"No port from {first} on is free at {host} ({refused}). Choose another --port or --host.")


OPEN_PAGES = 32
"""Most pages whose widgets Gradio keeps (0.7 MB each); a late request of a closed page adds it again."""
TRIES = 5
"""Most ports to try, as another program may take a port after it was found free."""


class OpenToOthersError(SoliloquyError):
    """The page would be open to everyone who can reach this machine."""


def serve(
    page: Any,
    settings: Settings,
    host: str,
    port: int | None = None,
    routes: Sequence[BaseRoute] = (),
    access: Access | None = None,
    uploads: bool = False,
) -> str:
    """Launch the page and the `routes` of the API; returns the address with the token. `uploads`: files may be sent.
    Raises OSError, OpenToOthersError."""
    access = access or access_of(settings)
    if not is_loopback(host) and access.password is None:
        raise OpenToOthersError(
            f"Others on the network can reach the page at {host}, so it needs a password. Set SOLILOQUY_PASSWORD or"
            " give --password-file FILE, or leave out --host to serve this machine only."
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
        except OSError:  # another program has taken the port meanwhile
            port = chosen + 1
    return access.address(_launch(page, host, free_port(host, port), routes, middleware))


def access_of(settings: Settings) -> Access:
    """The token and password of this home's page."""
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
        # Otherwise Gradio requests the page once and fails after 3 seconds, which a busy machine may need.
        _frontend=False,
    )
    return address


class ContentPolicy:
    """Middleware that adds the content policy, so that the browser loads nothing from elsewhere."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        await self.app(scope, receive, send_with_policy if scope["type"] == "http" else send)
