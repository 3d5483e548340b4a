'use strict';
// gRPC's interoperability cases on Node's gRPC. What each case does and checks is told in gRPC's
// doc/interop-test-descriptions.md.
const assert = require('assert');
const { parseArgs } = require('util');
const grpc = require('@grpc/grpc-js');
const { TestService, UnimplementedService } = require('./service');
const tls = require('./tls');

const SENT = [27182, 8, 1828, 45904];
const REPLIES = [31415, 9, 2653, 58979];
const INITIAL = ['x-grpc-test-echo-initial', 'test_initial_metadata_value'];
const TRAILING = ['x-grpc-test-echo-trailing-bin', Buffer.from([0xab, 0xab, 0xab])];

const zeros = (size) => ({ body: Buffer.alloc(size) });
const duplexRequest = (wanted, sent) => ({
  response_parameters: [{ size: wanted }],
  payload: zeros(sent),
});
const LARGE_REQUEST = { response_size: 314159, payload: zeros(271828) };

function expectZeros(payload, size) {
  assert.deepStrictEqual(payload.body, Buffer.alloc(size));
}

function echoes() {
  const metadata = new grpc.Metadata();
  metadata.set(...INITIAL);
  metadata.set(...TRAILING);
  return metadata;
}

function expectEchoes(result) {
  assert.deepStrictEqual(result.headers.get(INITIAL[0]), [INITIAL[1]]);
  assert.deepStrictEqual(result.status.metadata.get(TRAILING[0]), [TRAILING[1]]);
}

/** Follows a call to its end. @return {headers, replies, status}; `onReply` sees each reply */
function finished(call, onReply = () => {}) {
  const result = { headers: null, replies: [] };
  call.on('metadata', (headers) => (result.headers = headers));
  call.on('error', () => {}); // the status says the same
  call.on('data', (reply) => {
    result.replies.push(reply);
    onReply(result.replies.length);
  });
  return new Promise((resolve) => {
    call.on('status', (status) => resolve({ ...result, status }));
  });
}

/** A call with one reply. `start` is given the callback that takes it. */
function unary(start) {
  let reply = null;
  const call = start((error, value) => (reply = value));
  return finished(call).then((result) => ({ ...result, reply, call }));
}

function expectOk(result) {
  assert.strictEqual(result.status.code, grpc.status.OK, result.status.details);
}

function expectSizes(replies, sizes) {
  assert.strictEqual(replies.length, sizes.length);
  replies.forEach((reply, i) => expectZeros(reply.payload, sizes[i]));
}

async function emptyUnary(stub, options) {
  const result = await unary((done) => stub.EmptyCall({}, options, done));
  expectOk(result);
  assert.deepStrictEqual({ ...result.reply }, {});
}

async function largeUnary(stub, options) {
  const result = await unary((done) => stub.UnaryCall(LARGE_REQUEST, options, done));
  expectOk(result);
  expectZeros(result.reply.payload, 314159);
}

async function clientStreaming(stub, options) {
  const result = await unary((done) => {
    const call = stub.StreamingInputCall(options, done);
    for (const size of SENT) call.write({ payload: zeros(size) });
    call.end();
    return call;
  });
  expectOk(result);
  assert.strictEqual(result.reply.aggregated_payload_size, 74922);
}

async function serverStreaming(stub, options) {
  const request = { response_parameters: REPLIES.map((size) => ({ size })) };
  const result = await finished(stub.StreamingOutputCall(request, options));
  expectOk(result);
  expectSizes(result.replies, REPLIES);
}

// Compression is the channel's; a message of a stream may be sent without.
const GZIP = 2;
const NO_COMPRESS = 2; // WriteFlags.NoCompress

function compressing(stub) {
  const options = { 'grpc.default_compression_algorithm': GZIP };
  return stub.open(options);
}

async function clientCompressedUnary(stub, options) {
  const expecting = (value) => ({ ...LARGE_REQUEST, expect_compressed: { value } });
  const probe = await unary((done) => stub.UnaryCall(expecting(true), options, done));
  assert.strictEqual(probe.status.code, grpc.status.INVALID_ARGUMENT);
  const other = compressing(stub);
  for (const [from, compressed] of [[other, true], [stub, false]]) {
    const result = await unary((done) => from.UnaryCall(expecting(compressed), options, done));
    expectOk(result);
    expectZeros(result.reply.payload, 314159);
  }
  other.close();
}

/** `requests` are [size, expected, compressed]. */
function sendInput(stub, options, requests) {
  return unary((done) => {
    const call = stub.StreamingInputCall(options, done);
    for (const [size, expected, compressed] of requests) {
      const request = { payload: zeros(size), expect_compressed: { value: expected } };
      call.write(request, compressed ? undefined : NO_COMPRESS);
    }
    call.end();
    return call;
  });
}

async function clientCompressedStreaming(stub, options) {
  const other = compressing(stub);
  const probe = await sendInput(other, options, [[27182, true, false]]);
  assert.strictEqual(probe.status.code, grpc.status.INVALID_ARGUMENT);
  const result = await sendInput(other, options, [[27182, true, true], [45904, false, false]]);
  other.close();
  expectOk(result);
  assert.strictEqual(result.reply.aggregated_payload_size, 73086);
}

/** Node does not show whether the replies came compressed, only that they are right. */
async function serverCompressedUnary(stub, options) {
  for (const value of [true, false]) {
    const request = { ...LARGE_REQUEST, response_compressed: { value } };
    const result = await unary((done) => stub.UnaryCall(request, options, done));
    expectOk(result);
    expectZeros(result.reply.payload, 314159);
  }
}

/** As above. */
async function serverCompressedStreaming(stub, options) {
  const request = {
    response_parameters: [
      { size: 31415, compressed: { value: true } },
      { size: 92653, compressed: { value: false } },
    ],
  };
  const result = await finished(stub.StreamingOutputCall(request, options));
  expectOk(result);
  expectSizes(result.replies, [31415, 92653]);
}

async function pingPong(stub, options) {
  const call = stub.FullDuplexCall(options);
  call.write(duplexRequest(REPLIES[0], SENT[0]));
  const result = await finished(call, (count) => {
    if (count < REPLIES.length) call.write(duplexRequest(REPLIES[count], SENT[count]));
    else call.end();
  });
  expectOk(result);
  expectSizes(result.replies, REPLIES);
}

async function emptyStream(stub, options) {
  const call = stub.FullDuplexCall(options);
  call.end();
  const result = await finished(call);
  expectOk(result);
  assert.strictEqual(result.replies.length, 0);
}

async function customMetadata(stub, options) {
  const single = await unary((done) => stub.UnaryCall(LARGE_REQUEST, echoes(), options, done));
  expectOk(single);
  expectZeros(single.reply.payload, 314159);
  expectEchoes(single);

  const call = stub.FullDuplexCall(echoes(), options);
  call.end(duplexRequest(314159, 271828));
  const duplex = await finished(call);
  expectOk(duplex);
  expectSizes(duplex.replies, [314159]);
  expectEchoes(duplex);
}

function expectStatus(result, wanted) {
  assert.strictEqual(result.status.code, wanted.code);
  assert.strictEqual(result.status.details, wanted.message);
}

async function statusCodeAndMessage(stub, options) {
  const wanted = { code: 2, message: 'test status message' };
  const request = { response_status: wanted };
  expectStatus(await unary((done) => stub.UnaryCall(request, options, done)), wanted);
  const call = stub.FullDuplexCall(options);
  call.end(request);
  expectStatus(await finished(call), wanted);
}

async function specialStatusMessage(stub, options) {
  const message =
    '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
  const wanted = { code: 2, message };
  const request = { response_status: wanted };
  expectStatus(await unary((done) => stub.UnaryCall(request, options, done)), wanted);
}

async function unimplementedMethod(stub, options) {
  const result = await unary((done) => stub.UnimplementedCall({}, options, done));
  assert.strictEqual(result.status.code, grpc.status.UNIMPLEMENTED);
}

async function unimplementedService(stub, options) {
  const other = stub.open({}, UnimplementedService);
  const result = await unary((done) => other.UnimplementedCall({}, options, done));
  other.close();
  assert.strictEqual(result.status.code, grpc.status.UNIMPLEMENTED);
}

async function cancelAfterBegin(stub, options) {
  const result = await unary((done) => {
    const call = stub.StreamingInputCall(options, done);
    setImmediate(() => call.cancel());
    return call;
  });
  assert.strictEqual(result.status.code, grpc.status.CANCELLED);
}

async function cancelAfterFirstResponse(stub, options) {
  const call = stub.FullDuplexCall(options);
  call.write(duplexRequest(31415, 27182));
  const result = await finished(call, () => call.cancel());
  expectSizes(result.replies, [31415]);
  assert.strictEqual(result.status.code, grpc.status.CANCELLED);
}

async function timeoutOnSleepingServer(stub) {
  const call = stub.FullDuplexCall({ deadline: Date.now() + 1 });
  call.write({ payload: zeros(27182) });
  const result = await finished(call);
  assert.strictEqual(result.status.code, grpc.status.DEADLINE_EXCEEDED);
}

async function soak(stub, newChannels) {
  const { soak_iterations, soak_max_failures } = stub.flags;
  const limit = Number(stub.flags.soak_per_iteration_max_acceptable_latency_ms);
  let failures = 0;
  for (let i = 0; i < Number(soak_iterations); i++) {
    const start = Date.now();
    const options = { deadline: start + limit };
    const own = newChannels
      ? stub.open({ 'grpc.use_local_subchannel_pool': 1 })
      : stub;
    const result = await unary((done) => own.UnaryCall(LARGE_REQUEST, options, done));
    if (result.status.code !== grpc.status.OK || result.reply.payload.body.length !== 314159)
      failures++;
    if (newChannels) own.close();
  }
  assert(failures <= Number(soak_max_failures), `${failures} calls failed or were late`);
}

const CASES = {
  empty_unary: emptyUnary,
  large_unary: largeUnary,
  client_streaming: clientStreaming,
  server_streaming: serverStreaming,
  client_compressed_unary: clientCompressedUnary,
  server_compressed_unary: serverCompressedUnary,
  client_compressed_streaming: clientCompressedStreaming,
  server_compressed_streaming: serverCompressedStreaming,
  ping_pong: pingPong,
  empty_stream: emptyStream,
  custom_metadata: customMetadata,
  status_code_and_message: statusCodeAndMessage,
  special_status_message: specialStatusMessage,
  unimplemented_method: unimplementedMethod,
  unimplemented_service: unimplementedService,
  cancel_after_begin: cancelAfterBegin,
  cancel_after_first_response: cancelAfterFirstResponse,
  timeout_on_sleeping_server: timeoutOnSleepingServer,
  rpc_soak: (stub) => soak(stub, false),
  channel_soak: (stub) => soak(stub, true),
};

async function main() {
  const { values } = parseArgs({
    options: {
      server_host: { type: 'string', default: '127.0.0.1' },
      server_port: { type: 'string' },
      test_case: { type: 'string' },
      timeout: { type: 'string', default: '30' },
      soak_iterations: { type: 'string', default: '10' },
      soak_max_failures: { type: 'string', default: '0' },
      soak_per_iteration_max_acceptable_latency_ms: { type: 'string', default: '1000' },
      ...tls.clientOptions,
    },
  });
  const address = `${values.server_host}:${values.server_port}`;
  const open = (options, Service = TestService) => tls.open(Service, address, values, options);
  const stub = open();
  stub.open = open;
  stub.flags = values;
  const deadline = Date.now() + Number(values.timeout) * 1000;
  try {
    await CASES[values.test_case](stub, { deadline });
  } catch (error) {
    console.error(`${values.test_case}: ${error.message}`);
    process.exitCode = 1;
  }
  stub.close();
}

main();
