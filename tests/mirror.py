"""A mirror of a few files on this machine, with the faults that mirrors have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror:
    """Serves `files` by name.

    cut_after: bytes after which a response ends early; falls away once `cuts` responses were cut.
    ignores_range: always sends files whole.
    requests: (name, Range header or None) of each request.
    """

    def __init__(self, files: dict[str, bytes], url: str) -> None:
        self.files = files
        self.url = url
        self.cut_after = 0
        self.cuts = 0
        self.ignores_range = False
        self.requests: list[tuple[str, str | None]] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.rpartition("/")[2]
        wanted = handler.headers.get("Range")
        self.requests.append((name, wanted))
        if name not in self.files:
            handler.send_error(404)
            return
        start = 0 if wanted is None or self.ignores_range else int(wanted[len("bytes=") : -1])
        body = self.files[name][start:]
        if start and not body:
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.cuts:
            self.cuts -= 1
            body = body[: self.cut_after]
        handler.wfile.write(body)


@contextmanager
def mirror(files: dict[str, bytes]) -> Iterator[Mirror]:
    """A mirror on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Mirror(files, f"http://127.0.0.1:{server.server_port}/mnist/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield served
        server.shutdown()
        thread.join()
