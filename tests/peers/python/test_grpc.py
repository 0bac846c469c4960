"""gRPC passes through: all four kinds of call, statuses, deadlines and cancellations, by HTTP/2 on both sides."""

import socket
import subprocess
import threading
from concurrent import futures

import grpc
import pytest

from gateway import DEADLINE_S, Gateway

PLAIN = """
listen: 127.0.0.1:0
upstream: h2c://${UPSTREAM}
admin: {listen: "127.0.0.1:0"}
"""
TLS = """
listen: [{address: "127.0.0.1:0", tls: {certificates: [{cert: "${CERT}", key: "${KEY}"}]}}]
upstreams: {default: {endpoints: ["https://${UPSTREAM}"], tls: {ca: "${CA}", server_name: localhost}}}
routes: [{upstream: default}]
admin: {listen: "127.0.0.1:0"}
"""
LARGE = bytes(range(256)) * 8192


class Service:
    """Echoes; `left` is set when a client has gone before its call was over."""

    def __init__(self):
        self.left = threading.Event()

    def unary(self, request, context):
        told = dict(context.invocation_metadata())
        context.send_initial_metadata((("x-early", told.get("x-asked", "")),))
        context.set_trailing_metadata((("x-late-bin", told.get("x-raw-bin", b"")),))
        if request == b"missing":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such book: Čapek 100 %")
        return request

    def count(self, request, context):
        yield from (str(number).encode() for number in range(int(request)))

    def join(self, requests, context):
        return b"".join(requests)

    def talk(self, requests, context):
        yield from requests

    def wait(self, request, context):
        context.add_callback(self.left.set)
        yield b"begun"
        self.left.wait(DEADLINE_S)

    def handler(self):
        return grpc.method_handlers_generic_handler("test.Echo", {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Join": grpc.stream_unary_rpc_method_handler(self.join),
            "Talk": grpc.stream_stream_rpc_method_handler(self.talk),
            "Wait": grpc.unary_stream_rpc_method_handler(self.wait),
        })


def certificates(folder):
    """An authority, and a certificate of its for localhost."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test authority")
    openssl("req", *curve, "-keyout", "a.key", "-out", "a.csr", "-subj", "/CN=localhost")
    (folder / "a.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "a.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2", "-extfile", "a.ext", "-out", "a.crt")


@pytest.fixture(scope="module", params=["plain", "tls"])
def site(request, tmp_path_factory):
    """A channel through frontroom to the service, and the service."""
    service = Service()
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[service.handler()])
    if request.param == "plain":
        port = server.add_insecure_port("127.0.0.1:0")
        gateway = Gateway(PLAIN, UPSTREAM=f"127.0.0.1:{port}")
        channel = grpc.insecure_channel(gateway.url.removeprefix("http://"))
    else:
        folder = tmp_path_factory.mktemp("certificates")
        certificates(folder)
        cert, key, authority = ((folder / name).read_bytes() for name in ("a.crt", "a.key", "ca.crt"))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, cert)]))
        gateway = Gateway(TLS, UPSTREAM=f"127.0.0.1:{port}", CERT=str(folder / "a.crt"), KEY=str(folder / "a.key"),
                          CA=str(folder / "ca.crt"))
        trust = grpc.ssl_channel_credentials(authority)
        channel = grpc.secure_channel(gateway.url.removeprefix("https://"), trust)
    server.start()
    yield channel, service
    channel.close()
    gateway.stop()
    server.stop(0)


def test_a_unary_call_with_metadata_both_ways(site):
    call = site[0].unary_unary("/test.Echo/Unary")
    metadata = (("x-asked", "for this"), ("x-raw-bin", b"\x00\xff"))
    answer, told = call.with_call(LARGE, metadata=metadata, timeout=DEADLINE_S)
    assert answer == LARGE
    assert dict(told.initial_metadata())["x-early"] == "for this"
    assert dict(told.trailing_metadata())["x-late-bin"] == b"\x00\xff"


def test_an_error_comes_as_its_status(site):
    with pytest.raises(grpc.RpcError) as refused:
        site[0].unary_unary("/test.Echo/Unary")(b"missing", timeout=DEADLINE_S)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert refused.value.details() == "no such book: Čapek 100 %"
    with pytest.raises(grpc.RpcError) as unknown:
        site[0].unary_unary("/test.Echo/Nothing")(b"", timeout=DEADLINE_S)
    assert unknown.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_streams_of_either_side(site):
    numbers = list(site[0].unary_stream("/test.Echo/Count")(b"1000", timeout=DEADLINE_S))
    assert numbers == [str(number).encode() for number in range(1000)]
    parts = [bytes([number]) * 1000 for number in range(200)]
    assert site[0].stream_unary("/test.Echo/Join")(iter(parts), timeout=DEADLINE_S) == b"".join(parts)


def test_a_conversation_in_which_each_waits_for_the_other(site):
    said = [f"line {number}".encode() for number in range(100)]
    heard = threading.Semaphore(1)

    def lines():
        for line in said:
            assert heard.acquire(timeout=DEADLINE_S)
            yield line

    answers = []
    for answer in site[0].stream_stream("/test.Echo/Talk")(lines(), timeout=DEADLINE_S):
        answers.append(answer)
        heard.release()
    assert answers == said


@pytest.mark.parametrize("way", ["deadline", "cancel"])
def test_a_client_that_leaves_is_noticed_by_the_service(site, way):
    channel, service = site
    service.left.clear()
    call = channel.unary_stream("/test.Echo/Wait")(b"", timeout=0.5 if way == "deadline" else DEADLINE_S)
    assert next(call) == b"begun"
    if way == "cancel":
        call.cancel()
    with pytest.raises(grpc.RpcError) as ended:
        next(call)
    expected = {"deadline": grpc.StatusCode.DEADLINE_EXCEEDED, "cancel": grpc.StatusCode.CANCELLED}
    assert ended.value.code() == expected[way]
    assert service.left.wait(DEADLINE_S)


def test_a_service_that_is_away_is_unavailable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gateway = Gateway(PLAIN, UPSTREAM=f"127.0.0.1:{taken.getsockname()[1]}")
        with grpc.insecure_channel(gateway.url.removeprefix("http://")) as channel:
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary("/test.Echo/Unary")(b"", timeout=DEADLINE_S)
        gateway.stop()
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
