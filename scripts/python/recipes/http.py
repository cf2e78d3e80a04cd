"""A web server in this process that is not ready at first."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Iterator

from lab.hosts import Host


@contextmanager
def serve(host: Host, address: str, port: int, unready: int) -> Iterator[None]:
    """Answers `/health` with 503 so many times, and then with 200."""
    asked: list[str] = []

    class Health(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response_only(503 if len(asked) <= unready else 200)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = HTTPServer((address, port), Health, bind_and_activate=False)
    server.socket.close()
    server.socket = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.server_bind()
    server.server_activate()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
