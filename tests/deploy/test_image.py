"""The image's filesystem, built as the Dockerfile builds it and run in a root that holds nothing else."""

import http.server
import json
import os
import shutil
import subprocess
import threading
import urllib.request

import pytest

from conftest import DEPLOY, ROOT, binary, run


class Backend(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"host": self.headers["Host"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def backend():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def dockerfile():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def instruction(name):
    (line,) = [line for line in dockerfile()[dockerfile().index("FROM scratch"):] if line.startswith(name)]
    return line[len(name):].strip()


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def printed(process, word):
    for line in process.stdout:
        if word in line:
            return line.split()[-1]
    raise AssertionError(f"ended without `{word}`")


def test_the_image_holds_one_binary_that_runs_alone(tmp_path, backend):
    root = tmp_path / "root"
    assert "RUN deploy/rootfs.sh /rootfs" in dockerfile() and instruction("COPY") == "--from=build /rootfs/ /"
    run(str(DEPLOY / "rootfs.sh"), str(root), "dev", cwd=ROOT)
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert files == ["etc/frontroom/config.yaml", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "frontroom"]
    assert "statically linked" in run("sh", "-c", f"ldd {root}/frontroom 2>&1 || true") or "not a dynamic" in run(
        "sh", "-c", f"ldd {root}/frontroom 2>&1 || true"
    )
    # A name is looked up without a C library's files beside the binary.
    (root / "etc/hosts").write_text("127.0.0.1 backend localhost\n")
    config = (root / "etc/frontroom/config.yaml").read_text()
    config = config.replace("0.0.0.0:4000", "127.0.0.1:0").replace("127.0.0.1:4001", "127.0.0.1:0")
    (root / "etc/frontroom/config.yaml").write_text(config)
    user = instruction("USER")
    entry = json.loads(instruction("ENTRYPOINT")) + json.loads(instruction("CMD"))
    chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
    enter = [chroot, f"--userspec={user}", str(root)]
    if os.geteuid() != 0:
        enter = [shutil.which("unshare"), "--map-root-user", chroot, str(root)]
    environment = {"UPSTREAM": f"http://backend:{backend}", "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}
    process = subprocess.Popen(
        [*enter, *entry], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        url, admin = printed(process, "listening on"), printed(process, "admin on")
        assert json.loads(read(url + "/x"))["host"] == url.removeprefix("http://")
        assert read(url + "/socket.io/?EIO=4&transport=polling").startswith(b"0{")
        check = instruction("HEALTHCHECK").split("CMD", 1)[1]
        run(*enter, *json.loads(check), "--admin", admin)
        process.terminate()
        assert process.wait(timeout=45) == 0
        run(*enter, *json.loads(check), "--admin", admin, ok=False)
    finally:
        process.kill()
        process.wait()


def test_the_compose_files_run_together(tmp_path):
    """Without Docker: the same config and backend, started as the file says, with another address."""
    import yaml

    services = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())["services"]
    assert services["backend"]["command"] == ["node", "/backend.mjs"]
    assert services["frontroom"]["volumes"] == ["./config.yaml:/etc/frontroom/config.yaml:ro"]
    backend = subprocess.Popen(
        ["node", str(DEPLOY / "compose/backend.mjs")], env={**os.environ, "PORT": "0"}, stdout=subprocess.PIPE, text=True
    )
    config = (DEPLOY / "compose/config.yaml").read_text()
    file = tmp_path / "config.yaml"
    file.write_text(config.replace("0.0.0.0:4000", "127.0.0.1:0").replace("127.0.0.1:4001", "127.0.0.1:0"))
    process = None
    try:
        upstream = f"http://127.0.0.1:{printed(backend, 'backend on')}"
        process = subprocess.Popen(
            [binary(), "run", "--config", str(file)],
            env={**os.environ, **services["frontroom"]["environment"], "UPSTREAM": upstream},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        url = printed(process, "listening on")
        told = chat(url)
        assert [name for name, *_ in told] == ["newMessage"] and told[0][1]["text"] == "hello", told
    finally:
        for child in filter(None, (process, backend)):
            child.kill()
            child.wait()


def chat(url):
    """Joins a room by polling, posts a message over REST, and gives the events that came."""
    io = f"{url}/socket.io/?EIO=4&transport=polling"
    session = json.loads(read(io)[1:])["sid"]
    io += f"&sid={session}"

    def post(target, body, kind):
        request = urllib.request.Request(target, body.encode(), {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    post(io, "40", "text/plain")
    assert read(io).startswith(b"40")
    post(io, '420["joinRoom",{"chatRoomId":1}]', "text/plain")
    assert json.loads(read(io)[3:])[0]["name"] == "Books"
    post(f"{url}/chat/rooms/1/messages", '{"text":"hello"}', "application/json")
    return [json.loads(packet[2:]) for packet in read(io).split(b"\x1e") if packet.startswith(b"42")]
