'use strict';
// The options of TLS that both programs have, and gRPC's credentials for them.
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const string = { type: 'string' };
const read = (path) => (path ? fs.readFileSync(path) : null);

const clientOptions = {
  use_tls: { type: 'boolean', default: false },
  ca_file: string,
  server_host_override: string,
  tls_cert_file: string,
  tls_key_file: string,
};

/** @return a stub of that service, with more options for its channel */
function open(Service, address, values, more = {}) {
  if (!values.use_tls) return new Service(address, grpc.credentials.createInsecure(), more);
  const credentials = grpc.credentials.createSsl(
    read(values.ca_file),
    read(values.tls_key_file),
    read(values.tls_cert_file)
  );
  const name = values.server_host_override;
  const override = { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name };
  return new Service(address, credentials, { ...(name ? override : {}), ...more });
}

const serverOptions = {
  use_tls: { type: 'boolean', default: false },
  tls_cert_file: string,
  tls_key_file: string,
  tls_client_ca_file: string,
};

function serverCredentials(values) {
  if (!values.use_tls) return grpc.ServerCredentials.createInsecure();
  const own = { private_key: read(values.tls_key_file), cert_chain: read(values.tls_cert_file) };
  const ca = read(values.tls_client_ca_file);
  return grpc.ServerCredentials.createSsl(ca, [own], ca !== null);
}

module.exports = { clientOptions, open, serverOptions, serverCredentials };
