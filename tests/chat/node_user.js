// A user of weir-chatd by @grpc/grpc-js: node_user.js ADDR:PORT NAME ROOM PROTO_FOLDER
// Lines of its input are said in the room; what comes is printed as "SEQ <SENDER> TEXT".
'use strict';
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const readline = require('readline');

const [address, name, room, folder] = process.argv.slice(2);
const files = ['account', 'conversation', 'chat'].map((f) => `weir/chat/v1/${f}.proto`);
const definition = loader.loadSync(files, {
  keepCase: true, longs: String, enums: String, oneofs: true, includeDirs: [folder],
});
const chat = grpc.loadPackageDefinition(definition).weir.chat.v1;
const insecure = grpc.credentials.createInsecure();

function unary(client, method, request, metadata) {
  return new Promise((resolve, reject) => {
    client[method](request, metadata, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

async function main() {
  const accounts = new chat.AccountService(address, insecure);
  const login = await unary(accounts, 'Register', { name, password: `password-${name}` },
    new grpc.Metadata());
  const token = new grpc.Metadata();
  token.set('authorization', `Bearer ${login.token}`);
  const conversations = new chat.ConversationService(address, insecure);
  await unary(conversations, 'Join', { room, create: true }, token);

  const stream = new chat.ChatService(address, insecure).Chat(token);
  stream.on('data', (frame) => {
    if (frame.frame === 'heads') console.log(`in ${room} on ${frame.heads.node}`);
    if (frame.frame === 'message') {
      console.log(`${frame.message.seq} <${frame.message.sender}> ${frame.message.text}`);
    }
    if (frame.frame === 'send_failed') console.log(`failed: ${frame.send_failed.text}`);
  });
  stream.on('error', (error) => { console.error(error.message); process.exit(1); });
  stream.on('end', () => process.exit(0));
  stream.write({ hello: { device: 'node' } });
  let said = 0;
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (text) => stream.write({ send: { room, client_id: `node${said++}`, text } }));
  lines.on('close', () => stream.end());
}

main().catch((error) => { console.error(error.message); process.exit(1); });
