"""1,000 StreamEcho calls over 10 connections, all open at once; each echoes before and after that.

The client is gRPC's own. usage: many_streams.py WEIR_BENCH_SERVER"""

import asyncio
import sys

import grpc

from peer import SECONDS, STREAM, Server, allow_descriptors, message

CONNECTIONS = 10
STREAMS = 100


def echo_message(number, phase):
    return message(b"stream %d, %s" % (number, phase))[5:]  # gRPC adds the prefix itself


async def echo(call, sent):
    await call.write(sent)
    received = await call.read()
    assert received == sent, f"{received!r} is not the echo of {sent!r}"


async def open_call(channel, number):
    call = channel.stream_stream(STREAM)(timeout=SECONDS)
    await echo(call, echo_message(number, b"opened"))
    return call


async def finish_call(call, number):
    assert not call.done(), f"stream {number} ended early"
    await echo(call, echo_message(number, b"all are open"))
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


async def hold(server):
    before = server.descriptors()
    own_connection = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=own_connection)
        for _ in range(CONNECTIONS)
    ]
    numbers = range(CONNECTIONS * STREAMS)
    calls = await asyncio.gather(*(open_call(channels[n % CONNECTIONS], n) for n in numbers))
    connections = server.descriptors() - before
    assert connections == CONNECTIONS, f"the calls are on {connections} connections"
    await asyncio.gather(*(finish_call(calls[n], n) for n in numbers))
    for channel in channels:
        await channel.close()


def main():
    allow_descriptors(1024)
    with Server(sys.argv[1:]) as server:
        asyncio.run(hold(server))
    print(f"{CONNECTIONS * STREAMS} streams were open at once")


main()
