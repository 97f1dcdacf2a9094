"""A real HTTP server that speaks the protocol of OpenAI's chat completions, and misbehaves when it is told to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScoringServer(ThreadingHTTPServer):
    """Answers with `answers` in turn, the last one for ever: a score, a status, or a tuple of status and headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Any] = ["8"]
        self.seen: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.moments: list[float] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def next_answer(self) -> Any:
        with self.lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Handler(BaseHTTPRequestHandler):
    server: ScoringServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.moments.append(time.monotonic())
        self.server.seen.append(body | {"path": self.path})
        self.server.keys.append(self.headers.get("Authorization"))
        answer = self.server.next_answer()
        if answer == "drop":
            self.close_connection = True
            return
        if callable(answer):
            answer = answer(body)
        status, headers = (
            answer if isinstance(answer, tuple) else (answer, {}) if isinstance(answer, int) else (200, {})
        )
        said = {"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}}]}
        content = answer if isinstance(answer, bytes) else json.dumps(said if status == 200 else {}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(content), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def scoring_server() -> Iterator[ScoringServer]:
    """Run the server for the block."""
    server = ScoringServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
