// The options of both programs, --name=value, and gRPC's credentials for those of TLS.
#ifndef WEIR_INTEROP_TLS_H
#define WEIR_INTEROP_TLS_H

#include <fstream>
#include <grpcpp/grpcpp.h>
#include <map>
#include <memory>
#include <sstream>
#include <string>

using Options = std::map<std::string, std::string>;

// "--port 0" too; a flag alone is "true".
inline Options ReadOptions(int argc, char **argv)
{
    Options options;
    for (int i = 1; i < argc; i++) {
        std::string argument = argv[i];
        size_t equals = argument.find('=');
        std::string name = argument.substr(0, equals);
        std::string value = "true";
        if (equals != std::string::npos)
            value = argument.substr(equals + 1);
        else if (i + 1 < argc && argv[i + 1][0] != '-')
            value = argv[++i];
        if (name.rfind("--", 0) == 0)
            options[name.substr(2)] = value;
    }
    return options;
}

inline std::string ReadFile(const std::string &path)
{
    std::ostringstream text;
    if (!path.empty())
        text << std::ifstream(path).rdbuf();
    return text.str();
}

inline std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(Options &options)
{
    if (!options.count("use_tls"))
        return grpc::InsecureChannelCredentials();
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = ReadFile(options["ca_file"]);
    ssl.pem_private_key = ReadFile(options["tls_key_file"]);
    ssl.pem_cert_chain = ReadFile(options["tls_cert_file"]);
    return grpc::SslCredentials(ssl);
}

inline std::shared_ptr<grpc::ServerCredentials> ServerCredentials(Options &options)
{
    if (!options.count("use_tls"))
        return grpc::InsecureServerCredentials();
    grpc::SslServerCredentialsOptions ssl(
        options.count("tls_client_ca_file")
            ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
            : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    ssl.pem_root_certs = ReadFile(options["tls_client_ca_file"]);
    ssl.pem_key_cert_pairs.push_back(
        {ReadFile(options["tls_key_file"]), ReadFile(options["tls_cert_file"])});
    return grpc::SslServerCredentials(ssl);
}

#endif
