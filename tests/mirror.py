"""A mirror of a few files on this machine, with the faults that mirrors have, and a proxy before it."""

from __future__ import annotations

import itertools
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror:
    """Serves `files` by name.

    cut_after: bytes after which a response ends early; falls away once `cuts` responses were cut.
    stalls: what is cut does not end, but keeps the connection open without sending more.
    endless: sends the file a thousand times, and does not say how long that is.
    ignores_range: always sends files whole.
    shift: bytes by which an answer to a Range begins elsewhere, although it says otherwise.
    refusal: a status sent instead of files, with these headers.
    redirect: a URL of a folder to which requests are sent.
    requests: (name, Range header or None) of each request. asked: set by the first.
    """

    def __init__(self, files: dict[str, bytes], url: str) -> None:
        self.files = files
        self.url = url
        self.cut_after = 0
        self.cuts = 0
        self.stalls = False
        self.endless = False
        self.ignores_range = False
        self.shift = 0
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.redirect: str | None = None
        self.requests: list[tuple[str, str | None]] = []
        self.asked = threading.Event()
        self.closing = threading.Event()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.rpartition("/")[2]
        wanted = handler.headers.get("Range")
        self.requests.append((name, wanted))
        cut = self.cuts > 0
        self.cuts -= cut
        self.asked.set()
        if self.refusal:
            status, headers = self.refusal
            _head(handler, status, headers)
        elif self.redirect is not None:
            _head(handler, 302, {"Location": self.redirect + name})
        elif name not in self.files:
            _head(handler, 404, {})
        elif self.endless:
            _head(handler, 200, {})
            with suppress(ConnectionError):  # the other end has had enough
                for piece in itertools.repeat(self.files[name], 1000):
                    handler.wfile.write(piece)
        else:
            self._send(handler, self.files[name], wanted, cut=cut)

    def _send(
        self, handler: BaseHTTPRequestHandler, content: bytes, wanted: str | None, *, cut: bool
    ) -> None:
        start = 0 if wanted is None or self.ignores_range else int(wanted[len("bytes=") : -1])
        if start and start == len(content):
            _head(handler, 416, {})
            return
        length = {"Content-Length": str(len(content) - start)}
        if start:
            length["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        _head(handler, 206 if start else 200, length)
        body = content[start - self.shift if start else 0 :][: len(content) - start]
        if not cut:
            handler.wfile.write(body)
            return
        handler.wfile.write(body[: self.cut_after])
        if self.stalls:
            handler.wfile.flush()
            self.closing.wait(30)


def _head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


@contextmanager
def mirror(files: dict[str, bytes], tls: ssl.SSLContext | None = None) -> Iterator[Mirror]:
    """A mirror on a free port of this machine. tls: with what it speaks https."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler, tls) as port:
        served = Mirror(files, f"http{'s' if tls else ''}://127.0.0.1:{port}/mnist/")
        yield served
        served.closing.set()


@contextmanager
def proxy(behind: Mirror) -> Iterator[tuple[str, list[str]]]:
    """A proxy's URL, and the URLs that were asked of it. Whatever they are, it answers as the mirror does."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            behind.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler, None) as port:
        yield f"http://127.0.0.1:{port}", asked


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Says nothing: that the other end refuses or hangs up is what is tested."""


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as server:
        if tls:
            # Not at once, or a client that does not like the certificate would end the server.
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
