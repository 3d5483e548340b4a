"""gRPC's interoperability cases on Python's gRPC. Needs the generated modules on PYTHONPATH.

What each case does and checks is told in gRPC's doc/interop-test-descriptions.md."""

import argparse
import queue
import sys
import threading
import time

import grpc
import empty_pb2
import messages_pb2
import test_pb2_grpc
import tls

SENT = (27182, 8, 1828, 45904)
REPLIES = (31415, 9, 2653, 58979)
INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")


def expect(actual, expected, what):
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r} instead of {expected!r}")


def expect_zeros(payload, size):
    expect(len(payload.body), size, "bytes of the payload")
    expect(payload.body.count(0), size, "zeros in the payload")


def expect_echoes(call):
    expect(dict(call.initial_metadata()).get(INITIAL[0]), INITIAL[1], INITIAL[0])
    expect(dict(call.trailing_metadata()).get(TRAILING[0]), TRAILING[1], TRAILING[0])


def zeros(size):
    return messages_pb2.Payload(body=bytes(size))


def large_request():
    return messages_pb2.SimpleRequest(response_size=314159, payload=zeros(271828))


def duplex_request(wanted, sent):
    return messages_pb2.StreamingOutputCallRequest(
        response_parameters=[messages_pb2.ResponseParameters(size=wanted)], payload=zeros(sent)
    )


class Requests:
    """What a streaming client sends, one by one, until half_close()."""

    END = object()

    def __init__(self):
        self.queue = queue.Queue()

    def __iter__(self):
        return iter(self.queue.get, self.END)

    def send(self, request):
        self.queue.put(request)

    def half_close(self):
        self.queue.put(self.END)


def status_of(call):
    """How a call ended that is expected to fail; replies are dropped."""
    try:
        for _ in call:
            pass
    except grpc.RpcError:
        pass
    return call.code(), call.details()


def unary_failure(method, request, timeout):
    try:
        method(request, timeout=timeout)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


def empty_unary(stub, timeout):
    expect(stub.EmptyCall(empty_pb2.Empty(), timeout=timeout), empty_pb2.Empty(), "reply")


def large_unary(stub, timeout):
    expect_zeros(stub.UnaryCall(large_request(), timeout=timeout).payload, 314159)


def client_streaming(stub, timeout):
    requests = (messages_pb2.StreamingInputCallRequest(payload=zeros(size)) for size in SENT)
    reply = stub.StreamingInputCall(requests, timeout=timeout)
    expect(reply.aggregated_payload_size, 74922, "counted bytes")


def server_streaming(stub, timeout):
    request = messages_pb2.StreamingOutputCallRequest(
        response_parameters=[messages_pb2.ResponseParameters(size=size) for size in REPLIES]
    )
    replies = list(stub.StreamingOutputCall(request, timeout=timeout))
    expect(len(replies), len(REPLIES), "replies")
    for reply, size in zip(replies, REPLIES):
        expect_zeros(reply.payload, size)


def client_compressed_unary(stub, timeout):
    request = large_request()
    request.expect_compressed.value = True
    code, _ = unary_failure(stub.UnaryCall, request, timeout)
    expect(code, grpc.StatusCode.INVALID_ARGUMENT, "status of a request that is not as it says")
    for compression in grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression:
        request.expect_compressed.value = compression != grpc.Compression.NoCompression
        reply = stub.UnaryCall(request, timeout=timeout, compression=compression)
        expect_zeros(reply.payload, 314159)


def server_compressed_unary(stub, timeout):
    """Python does not show whether the replies came compressed, only that they are right."""
    for compressed in True, False:
        request = large_request()
        request.response_compressed.value = compressed
        expect_zeros(stub.UnaryCall(request, timeout=timeout).payload, 314159)


def server_compressed_streaming(stub, timeout):
    """As above."""
    wanted = ((31415, True), (92653, False))
    request = messages_pb2.StreamingOutputCallRequest(
        response_parameters=[
            messages_pb2.ResponseParameters(
                size=size, compressed=messages_pb2.BoolValue(value=compressed)
            )
            for size, compressed in wanted
        ]
    )
    replies = list(stub.StreamingOutputCall(request, timeout=timeout))
    expect(len(replies), len(wanted), "replies")
    for reply, (size, _) in zip(replies, wanted):
        expect_zeros(reply.payload, size)


def ping_pong(stub, timeout):
    requests = Requests()
    replies = stub.FullDuplexCall(iter(requests), timeout=timeout)
    for wanted, sent in zip(REPLIES, SENT):
        requests.send(duplex_request(wanted, sent))
        expect_zeros(next(replies).payload, wanted)
    requests.half_close()
    expect(list(replies), [], "replies after the last")


def empty_stream(stub, timeout):
    expect(list(stub.FullDuplexCall(iter(()), timeout=timeout)), [], "replies")


def custom_metadata(stub, timeout):
    metadata = (INITIAL, TRAILING)
    reply, call = stub.UnaryCall.with_call(large_request(), timeout=timeout, metadata=metadata)
    expect_zeros(reply.payload, 314159)
    expect_echoes(call)
    requests = iter([duplex_request(314159, 271828)])
    call = stub.FullDuplexCall(requests, timeout=timeout, metadata=metadata)
    (reply,) = call
    expect_zeros(reply.payload, 314159)
    expect_echoes(call)


def status_code_and_message(stub, timeout):
    wanted = messages_pb2.EchoStatus(code=2, message="test status message")
    expected = (grpc.StatusCode.UNKNOWN, wanted.message)
    request = messages_pb2.SimpleRequest(response_status=wanted)
    expect(unary_failure(stub.UnaryCall, request, timeout), expected, "UnaryCall")
    requests = iter([messages_pb2.StreamingOutputCallRequest(response_status=wanted)])
    expect(status_of(stub.FullDuplexCall(requests, timeout=timeout)), expected, "FullDuplexCall")


def special_status_message(stub, timeout):
    message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    request = messages_pb2.SimpleRequest(
        response_status=messages_pb2.EchoStatus(code=2, message=message)
    )
    expected = (grpc.StatusCode.UNKNOWN, message)
    expect(unary_failure(stub.UnaryCall, request, timeout), expected, "UnaryCall")


def expect_unimplemented(method, timeout):
    code, _ = unary_failure(method, empty_pb2.Empty(), timeout)
    expect(code, grpc.StatusCode.UNIMPLEMENTED, "status")


def unimplemented_method(stub, timeout):
    expect_unimplemented(stub.UnimplementedCall, timeout)


def unimplemented_service(stub, timeout):
    expect_unimplemented(stub.unimplemented.UnimplementedCall, timeout)


def cancel_after_begin(stub, timeout):
    call = stub.StreamingInputCall.future(iter(Requests()), timeout=timeout)
    call.cancel()
    expect(call.code(), grpc.StatusCode.CANCELLED, "status")


def cancel_after_first_response(stub, timeout):
    requests = Requests()
    call = stub.FullDuplexCall(iter(requests), timeout=timeout)
    requests.send(duplex_request(31415, 27182))
    expect_zeros(next(call).payload, 31415)
    call.cancel()
    expect(status_of(call)[0], grpc.StatusCode.CANCELLED, "status")
    requests.half_close()


def timeout_on_sleeping_server(stub, timeout):
    requests = Requests()
    call = stub.FullDuplexCall(iter(requests), timeout=0.001)
    requests.send(messages_pb2.StreamingOutputCallRequest(payload=zeros(27182)))
    expect(status_of(call)[0], grpc.StatusCode.DEADLINE_EXCEEDED, "status")
    requests.half_close()


def soak(new_stub, stub):
    """`new_stub`: None, or makes a channel of its own and its stub."""
    failures = 0
    for _ in range(OPTIONS.soak_iterations):
        start = time.monotonic()
        try:
            if new_stub:
                with new_stub() as channel:
                    own = test_pb2_grpc.TestServiceStub(channel)
                    reply = own.UnaryCall(large_request(), timeout=OPTIONS.timeout)
            else:
                reply = stub.UnaryCall(large_request(), timeout=OPTIONS.timeout)
            expect_zeros(reply.payload, 314159)
            late = time.monotonic() - start > OPTIONS.latency_ms / 1000
        except (AssertionError, grpc.RpcError):
            late = True
        failures += late
    expect(failures <= OPTIONS.soak_max_failures, True, f"{failures} failed or late calls are few")


def rpc_soak(stub, timeout):
    soak(None, stub)


def channel_soak(stub, timeout):
    soak(open_channel, stub)


# Cases of our own: what gRPC's servers promise and its cases do not ask for.


def more_than_the_windows(stub, timeout):
    """Many replies that the client asks for at once, and does not read at first."""
    count, wanted = 100, 100_000
    requests = [duplex_request(wanted, 20_000)] * count
    sent = threading.Event()

    def all_sent():
        yield from requests
        sent.set()

    replies = stub.FullDuplexCall(all_sent(), timeout=timeout)
    for number, reply in enumerate(replies, 1):
        if number == 1:
            expect(sent.is_set(), False, "all requests taken before a reply was read")
        expect_zeros(reply.payload, wanted)
    expect(number, count, "replies")


def half_duplex(stub, timeout):
    requests = Requests()
    replies = stub.HalfDuplexCall(iter(requests), timeout=timeout)
    for wanted, sent in zip(REPLIES, SENT):
        requests.send(duplex_request(wanted, sent))
    requests.half_close()
    expect([len(reply.payload.body) for reply in replies], list(REPLIES), "sizes")


def intervals(stub, timeout):
    request = messages_pb2.StreamingOutputCallRequest(
        response_parameters=[messages_pb2.ResponseParameters(size=1, interval_us=50_000)] * 4
    )
    start = time.monotonic()
    for number, _ in enumerate(stub.StreamingOutputCall(request, timeout=timeout), 1):
        expect(time.monotonic() - start >= number * 0.05, True, f"reply {number} waited")
    expect(number, 4, "replies")


def cacheable_unary(stub, timeout):
    call = stub.CacheableUnaryCall.with_call
    first, info = call(messages_pb2.SimpleRequest(), timeout=timeout)
    second, _ = call(messages_pb2.SimpleRequest(), timeout=timeout)
    expect("max-age" in dict(info.initial_metadata())["cache-control"], True, "cache-control")
    expect(int(second.payload.body) >= int(first.payload.body) > 0, True, "time goes on")


def refused_requests(stub, timeout):
    """What the server cannot do it refuses with INVALID_ARGUMENT."""
    for request in (
        messages_pb2.SimpleRequest(expect_compressed=messages_pb2.BoolValue(value=True)),
        messages_pb2.SimpleRequest(response_size=-1),
        messages_pb2.SimpleRequest(response_size=2**31 - 1),
        messages_pb2.SimpleRequest(response_type=7),
    ):
        code, _ = unary_failure(stub.UnaryCall, request, timeout)
        expect(code, grpc.StatusCode.INVALID_ARGUMENT, str(request))


CASES = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_streaming,
        server_streaming,
        client_compressed_unary,
        server_compressed_unary,
        server_compressed_streaming,
        ping_pong,
        empty_stream,
        custom_metadata,
        status_code_and_message,
        special_status_message,
        unimplemented_method,
        unimplemented_service,
        cancel_after_begin,
        cancel_after_first_response,
        timeout_on_sleeping_server,
        rpc_soak,
        channel_soak,
        more_than_the_windows,
        half_duplex,
        intervals,
        cacheable_unary,
        refused_requests,
    )
}


OPTIONS = argparse.Namespace()


def open_channel():
    target = f"{OPTIONS.server_host}:{OPTIONS.server_port}"
    return tls.open_channel(target, OPTIONS, [("grpc.use_local_subchannel_pool", 1)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server_host", default="127.0.0.1")
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--test_case", choices=CASES, required=True)
    parser.add_argument("--timeout", type=float, default=20, help="seconds, of each call")
    parser.add_argument("--soak_iterations", type=int, default=10)
    parser.add_argument("--soak_max_failures", type=int, default=0)
    parser.add_argument(
        "--soak_per_iteration_max_acceptable_latency_ms", dest="latency_ms", type=int, default=1000
    )
    tls.add_client_options(parser)
    parser.parse_args(namespace=OPTIONS)

    with open_channel() as channel:
        stub = test_pb2_grpc.TestServiceStub(channel)
        stub.unimplemented = test_pb2_grpc.UnimplementedServiceStub(channel)
        try:
            CASES[OPTIONS.test_case](stub, OPTIONS.timeout)
        except (AssertionError, grpc.RpcError) as error:
            sys.exit(f"{OPTIONS.test_case}: {error}")


main()
