'use strict';
// grpc.testing.TestService on Node's gRPC.
const { parseArgs } = require('util');
const grpc = require('@grpc/grpc-js');
const { TestService } = require('./service');
const tls = require('./tls');

const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

/** Sends the initial echo. @return the trailing metadata */
function echoMetadata(call) {
  const initial = new grpc.Metadata();
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(INITIAL)) initial.add(INITIAL, value);
  for (const value of call.metadata.get(TRAILING)) trailing.add(TRAILING, value);
  call.sendMetadata(initial);
  return trailing;
}

function payload(size) {
  return { body: Buffer.alloc(size) };
}

function statusAsked(status, metadata) {
  return { code: status.code, details: status.message, metadata };
}

const sleep = (us) => new Promise((resolve) => setTimeout(resolve, us / 1000));
const drained = (call) => new Promise((resolve) => call.once('drain', resolve));

async function reply(call, request) {
  for (const wanted of request.response_parameters) {
    if (wanted.interval_us > 0) await sleep(wanted.interval_us);
    if (!call.write({ payload: payload(wanted.size) })) await drained(call);
  }
}

function emptyCall(call, done) {
  done(null, {}, echoMetadata(call));
}

function unaryCall(call, done) {
  const trailing = echoMetadata(call);
  const { response_status: status, response_size: size } = call.request;
  if (status && status.code !== 0) done(statusAsked(status, trailing));
  else done(null, { payload: payload(size) }, trailing);
}

function cacheableUnaryCall(call, done) {
  const headers = new grpc.Metadata();
  headers.add('cache-control', 'max-age=60, public');
  call.sendMetadata(headers);
  done(null, { payload: { body: Buffer.from(String(process.hrtime.bigint())) } });
}

function streamingInputCall(call, done) {
  const trailing = echoMetadata(call);
  let size = 0;
  call.on('data', (request) => (size += request.payload ? request.payload.body.length : 0));
  call.on('end', () => done(null, { aggregated_payload_size: size }, trailing));
}

async function streamingOutputCall(call) {
  const trailing = echoMetadata(call);
  const status = call.request.response_status;
  if (status) {
    call.emit('error', statusAsked(status, trailing));
    return;
  }
  await reply(call, call.request);
  call.end(trailing);
}

// Not by `for await`, which would end the replies together with the requests.

function fullDuplexCall(call) {
  const trailing = echoMetadata(call);
  let answered = Promise.resolve();
  call.on('data', (request) => {
    if (request.response_status) {
      call.emit('error', statusAsked(request.response_status, trailing));
      return;
    }
    call.pause();
    answered = reply(call, request).then(() => call.resume());
  });
  call.on('end', () => answered.then(() => call.end(trailing)));
}

function halfDuplexCall(call) {
  const trailing = echoMetadata(call);
  const requests = [];
  call.on('data', (request) => requests.push(request));
  call.on('end', async () => {
    for (const request of requests) await reply(call, request);
    call.end(trailing);
  });
}

function main() {
  const options = { port: { type: 'string', default: '0' }, ...tls.serverOptions };
  const { values } = parseArgs({ options });
  const server = new grpc.Server();
  server.addService(TestService.service, {
    EmptyCall: emptyCall,
    UnaryCall: unaryCall,
    CacheableUnaryCall: cacheableUnaryCall,
    StreamingOutputCall: streamingOutputCall,
    StreamingInputCall: streamingInputCall,
    FullDuplexCall: fullDuplexCall,
    HalfDuplexCall: halfDuplexCall,
    // UnimplementedCall is left out: the server answers UNIMPLEMENTED.
  });
  const credentials = tls.serverCredentials(values);
  server.bindAsync(`127.0.0.1:${values.port}`, credentials, (error, port) => {
    if (error) throw error;
    console.log(`listening on 127.0.0.1:${port}`);
  });
  process.once('SIGTERM', () => {
    // Connections that clients keep open are closed after a second.
    setTimeout(() => server.forceShutdown(), 1000).unref();
    server.tryShutdown(() => process.exit(0));
  });
}

main();
