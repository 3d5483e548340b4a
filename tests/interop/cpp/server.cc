// grpc.testing.TestService on gRPC C++.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "test.grpc.pb.h"
#include "tls.h"

// Flags of the last message that was received: the core's, for tests, and in no installed header.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);
constexpr uint32_t kWasCompressed = 0x40000000u;

// A friend of ServerContext's, for its call.
class grpc::testing::InteropServerContextInspector
{
  public:
    explicit InteropServerContextInspector(const ServerContextBase &context) : context_(context) {}
    bool WasCompressed() const
    {
        return (grpc_call_test_only_get_message_flags(context_.call_.call) & kWasCompressed) != 0;
    }

  private:
    const ServerContextBase &context_;
};

namespace
{

using grpc::ServerContext;
using grpc::Status;
using namespace grpc::testing;

using OutputStream =
    grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>;

void EchoMetadata(ServerContext *context)
{
    const auto &sent = context->client_metadata();
    auto initial = sent.find("x-grpc-test-echo-initial");
    if (initial != sent.end())
        context->AddInitialMetadata("x-grpc-test-echo-initial",
                                    {initial->second.data(), initial->second.size()});
    auto trailing = sent.find("x-grpc-test-echo-trailing-bin");
    if (trailing != sent.end())
        context->AddTrailingMetadata("x-grpc-test-echo-trailing-bin",
                                     {trailing->second.data(), trailing->second.size()});
}

Status AskedStatus(const EchoStatus &status)
{
    return {static_cast<grpc::StatusCode>(status.code()), status.message()};
}

// Whether the last request came compressed, or not, against what it says itself.
template <class Request> bool BreaksExpectation(ServerContext *context, const Request &request)
{
    return request.has_expect_compressed() &&
           grpc::testing::InteropServerContextInspector(*context).WasCompressed() !=
               request.expect_compressed().value();
}

const Status kNotAsExpected(grpc::StatusCode::INVALID_ARGUMENT,
                            "the request did not come as compressed as it says");

// One reply for each of the request's parameters, to any kind of writer.
template <class Writer> void Reply(const StreamingOutputCallRequest &request, Writer *writer)
{
    for (const auto &wanted : request.response_parameters()) {
        std::this_thread::sleep_for(std::chrono::microseconds(wanted.interval_us()));
        StreamingOutputCallResponse response;
        response.mutable_payload()->mutable_body()->assign(wanted.size(), '\0');
        grpc::WriteOptions options;
        if (!wanted.compressed().value())
            options.set_no_compression();
        writer->Write(response, options);
    }
}

// UnimplementedCall is left as generated: UNIMPLEMENTED.
class TestServiceImpl final : public TestService::Service
{
    Status EmptyCall(ServerContext *context, const Empty *, Empty *) override
    {
        EchoMetadata(context);
        return Status::OK;
    }

    Status UnaryCall(ServerContext *context, const SimpleRequest *request,
                     SimpleResponse *response) override
    {
        EchoMetadata(context);
        if (BreaksExpectation(context, *request))
            return kNotAsExpected;
        if (request->has_response_status())
            return AskedStatus(request->response_status());
        if (request->response_compressed().value())
            context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        response->mutable_payload()->mutable_body()->assign(request->response_size(), '\0');
        return Status::OK;
    }

    Status CacheableUnaryCall(ServerContext *context, const SimpleRequest *,
                              SimpleResponse *response) override
    {
        context->AddInitialMetadata("cache-control", "max-age=60, public");
        auto now = std::chrono::system_clock::now().time_since_epoch().count();
        response->mutable_payload()->set_body(std::to_string(now));
        return Status::OK;
    }

    Status StreamingOutputCall(ServerContext *context, const StreamingOutputCallRequest *request,
                               grpc::ServerWriter<StreamingOutputCallResponse> *writer) override
    {
        EchoMetadata(context);
        if (request->has_response_status())
            return AskedStatus(request->response_status());
        for (const auto &wanted : request->response_parameters())
            if (wanted.compressed().value())
                context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        Reply(*request, writer);
        return Status::OK;
    }

    Status StreamingInputCall(ServerContext *context,
                              grpc::ServerReader<StreamingInputCallRequest> *reader,
                              StreamingInputCallResponse *response) override
    {
        EchoMetadata(context);
        StreamingInputCallRequest request;
        int size = 0;
        while (reader->Read(&request)) {
            if (BreaksExpectation(context, request))
                return kNotAsExpected;
            size += static_cast<int>(request.payload().body().size());
        }
        response->set_aggregated_payload_size(size);
        return Status::OK;
    }

    Status FullDuplexCall(ServerContext *context, OutputStream *stream) override
    {
        EchoMetadata(context);
        StreamingOutputCallRequest request;
        while (stream->Read(&request)) {
            if (request.has_response_status())
                return AskedStatus(request.response_status());
            Reply(request, stream);
        }
        return Status::OK;
    }

    Status HalfDuplexCall(ServerContext *context, OutputStream *stream) override
    {
        EchoMetadata(context);
        std::vector<StreamingOutputCallRequest> requests;
        StreamingOutputCallRequest request;
        while (stream->Read(&request))
            requests.push_back(request);
        for (const auto &each : requests)
            Reply(each, stream);
        return Status::OK;
    }
};

} // namespace

int main(int argc, char **argv)
{
    auto options = ReadOptions(argc, argv);
    if (!options.count("port")) {
        std::cerr << "usage: " << argv[0] << " --port PORT [--use_tls ...]\n";
        return 2;
    }
    // Blocked before gRPC starts its threads, so that only sigwait() gets it.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    TestServiceImpl service;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + options["port"], ServerCredentials(options), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        return 1;
    std::cout << "listening on 127.0.0.1:" << port << std::endl;
    int number = 0;
    sigwait(&signals, &number);
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    return 0;
}
