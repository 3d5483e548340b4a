'use strict';
// grpc.testing's services, read from the .proto files.
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync('test.proto', {
  keepCase: true,
  defaults: true,
  includeDirs: [path.join(__dirname, '..', 'proto')],
});

module.exports = grpc.loadPackageDefinition(definition).grpc.testing;
