"""The options of TLS that these programs have, and gRPC's credentials for them."""

import grpc


def read(path):
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()


def add_client_options(parser):
    parser.add_argument("--use_tls", action="store_true")
    parser.add_argument("--ca_file")
    parser.add_argument("--server_host_override")
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")


def open_channel(target, options, more):
    """`more`: options of the channel"""
    if not options.use_tls:
        return grpc.insecure_channel(target, more)
    credentials = grpc.ssl_channel_credentials(
        read(options.ca_file), read(options.tls_key_file), read(options.tls_cert_file)
    )
    name = options.server_host_override
    override = [("grpc.ssl_target_name_override", name), ("grpc.default_authority", name)]
    return grpc.secure_channel(target, credentials, more + override if name else more)


def add_server_options(parser):
    parser.add_argument("--use_tls", action="store_true")
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")
    parser.add_argument("--tls_client_ca_file", help="clients must have a certificate of these")


def add_port(server, address, options):
    """@return the port"""
    if not options.use_tls:
        return server.add_insecure_port(address)
    own = (read(options.tls_key_file), read(options.tls_cert_file))
    ca = read(options.tls_client_ca_file)
    credentials = grpc.ssl_server_credentials([own], ca, require_client_auth=ca is not None)
    return server.add_secure_port(address, credentials)
