"""A plain REST server that knows nothing of sockets and keeps a ledger of every request it saw."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Backend:
    """The chat's REST API: who am I, rooms, their messages, presence. Room 9 is private."""

    def __init__(self):
        self.ledger = []
        self.changed = threading.Condition()
        self.messages = {}
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                length = int(self.headers.get("content-length") or 0)
                text = self.rfile.read(length)
                body = json.loads(text) if text else None
                status, answer = backend.answer(self.command, self.path, dict(self.headers.items()), body)
                payload = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                if status != 204:
                    self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = handle_any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def request(self, method, path, matches=lambda body: True, timeout=10):
        """The body of the first such request, now or later."""
        def found():
            return [e for e in self.ledger if e[:2] == (method, path) and matches(e[2])]

        with self.changed:
            assert self.changed.wait_for(found, timeout), f"the backend sees {method} {path}"
            return found()[0][2]

    def answer(self, method, path, headers, body):
        with self.changed:
            self.ledger.append((method, path, body))
            self.changed.notify_all()
        headers = {name.lower(): value for name, value in headers.items()}
        token = re.fullmatch(r"Bearer token-(\w+)", headers.get("authorization", ""))
        user = token and token.group(1)
        if path == "/presence/left":
            return 204, None
        if not user:
            return 401, {"message": "Please log in", "code": "login"}
        if path == "/auth/me":
            return 200, {"id": user}
        room = re.fullmatch(r"/chat/rooms/([^/]+)(/messages)?", path)
        if not room:
            return 404, {"message": f"Cannot {method} {path}"}
        if room.group(1) == "9":
            return 403, {"message": "This room is private"}
        messages = self.messages.setdefault(room.group(1), [])
        if method == "POST":
            messages.append({"id": len(messages) + 1, "user": user, **body})
            return 201, messages[-1]
        return 200, messages if room.group(2) else {"id": room.group(1)}
