"""Servers for the tests of the OpenAI engine."""

import json
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from trainer.benchmarks.peers import serving


@contextmanager
def llama_cpp_server(model, context, threads):
    """The server of llama-cpp-python, one conversation at a time; a later request waits and does not end the running
    one. Yields the server's address. Raises ServerError."""
    command = [sys.executable, "-m", "llama_cpp.server", "--model", model, "--n_ctx", context, "--model_alias"]
    command += [model.stem, "--interrupt_requests", "false", "--n_threads", threads, "--n_threads_batch", threads]
    with serving(command) as url:
        yield url


@contextmanager
def stand_in(answer, owner="somebody"):
    """A server on this computer that lists two models, as servers of this owner do, and passes every other request to
    `answer(handler, number)`; yields an address and the received requests: path, headers and body."""
    came, lock = [], Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/v1/models":
                self.reply(200, {"data": [{"id": "m", "owned_by": owner}, {"id": "critic"}]})
            else:
                self.reply(404, {"error": {"message": "no such page"}})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                came.append((self.path, self.headers, body))
                number = len(came)
            answer(self, number)

        def reply(self, status, body, **headers):
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **headers}.items():
                self.send_header(name.replace("_", "-"), str(value))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", came
    finally:
        server.shutdown()
        server.server_close()


def stream(handler, *texts, finish="stop"):
    """Send a reply in pieces, as a chat and as a completion; without `finish` it breaks off."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    for text, reason in [*((text, None) for text in texts), (None, finish)][: None if finish else -1]:
        chunk = {"choices": [{"index": 0, "delta": {"content": text}, "text": text, "finish_reason": reason}]}
        handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
