// gRPC's interoperability cases on gRPC C++. What each case does and checks is told in gRPC's
// doc/interop-test-descriptions.md.
#include <array>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include <grpcpp/grpcpp.h>

#include "test.grpc.pb.h"
#include "tls.h"

// Flags of the last message that was received: the core's, for tests, and in no installed header.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);
constexpr uint32_t kWasCompressed = 0x40000000u;

// A friend of ClientContext's, for its call.
class grpc::testing::InteropClientContextInspector
{
  public:
    explicit InteropClientContextInspector(const ClientContext &context) : context_(context) {}
    bool WasCompressed() const
    {
        return (grpc_call_test_only_get_message_flags(context_.call_) & kWasCompressed) != 0;
    }

  private:
    const ClientContext &context_;
};

namespace
{

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using namespace grpc::testing;

constexpr size_t kRounds = 4;
constexpr std::array<int, kRounds> kSent = {27182, 8, 1828, 45904};
constexpr std::array<int, kRounds> kReplies = {31415, 9, 2653, 58979};
constexpr int kLargeReply = 314159;
constexpr int kLargeRequest = 271828;

struct Stubs {
    explicit Stubs(const std::shared_ptr<grpc::Channel> &channel)
        : test(TestService::NewStub(channel)), unimplemented(UnimplementedService::NewStub(channel))
    {
    }
    std::unique_ptr<TestService::Stub> test;
    std::unique_ptr<UnimplementedService::Stub> unimplemented;
};

// "--name=value" arguments.
Options options;

void Expect(bool held, const std::string &what)
{
    if (!held)
        throw std::runtime_error("not so: " + what);
}

void ExpectCode(const Status &status, StatusCode code)
{
    if (status.error_code() != code)
        throw std::runtime_error("status " + std::to_string(status.error_code()) + " (" +
                                 status.error_message() + ") instead of " + std::to_string(code));
}

void ExpectStatus(const Status &status, const EchoStatus &wanted)
{
    ExpectCode(status, static_cast<StatusCode>(wanted.code()));
    Expect(status.error_message() == wanted.message(), "the status message is the one asked for");
}

void ExpectZeros(const Payload &payload, int size)
{
    Expect(payload.body() == std::string(size, '\0'), std::to_string(size) + " zeros come");
}

void ExpectEchoes(const ClientContext &context)
{
    const auto &headers = context.GetServerInitialMetadata();
    auto initial = headers.find("x-grpc-test-echo-initial");
    Expect(initial != headers.end() && initial->second == "test_initial_metadata_value",
           "initial metadata is echoed");
    const auto &trailers = context.GetServerTrailingMetadata();
    auto trailing = trailers.find("x-grpc-test-echo-trailing-bin");
    Expect(trailing != trailers.end() && trailing->second == "\xab\xab\xab",
           "trailing metadata is echoed");
}

void AddMetadata(ClientContext *context)
{
    context->AddMetadata("x-grpc-test-echo-initial", "test_initial_metadata_value");
    context->AddMetadata("x-grpc-test-echo-trailing-bin", "\xab\xab\xab");
}

void SetZeros(Payload *payload, int size)
{
    payload->mutable_body()->assign(size, '\0');
}

SimpleRequest LargeRequest()
{
    SimpleRequest request;
    request.set_response_size(kLargeReply);
    SetZeros(request.mutable_payload(), kLargeRequest);
    return request;
}

StreamingOutputCallRequest DuplexRequest(int wanted, int sent)
{
    StreamingOutputCallRequest request;
    request.add_response_parameters()->set_size(wanted);
    SetZeros(request.mutable_payload(), sent);
    return request;
}

void EmptyUnary(const Stubs &stubs)
{
    ClientContext context;
    Empty reply;
    ExpectCode(stubs.test->EmptyCall(&context, Empty(), &reply), StatusCode::OK);
    Expect(reply.ByteSizeLong() == 0, "the reply is empty");
}

void LargeUnary(const Stubs &stubs)
{
    ClientContext context;
    SimpleResponse reply;
    ExpectCode(stubs.test->UnaryCall(&context, LargeRequest(), &reply), StatusCode::OK);
    ExpectZeros(reply.payload(), kLargeReply);
}

void ClientStreaming(const Stubs &stubs)
{
    ClientContext context;
    StreamingInputCallResponse reply;
    auto stream = stubs.test->StreamingInputCall(&context, &reply);
    for (int size : kSent) {
        StreamingInputCallRequest request;
        SetZeros(request.mutable_payload(), size);
        Expect(stream->Write(request), "a request is sent");
    }
    stream->WritesDone();
    ExpectCode(stream->Finish(), StatusCode::OK);
    Expect(reply.aggregated_payload_size() == 74922, "the server counts 74922 bytes");
}

void ServerStreaming(const Stubs &stubs)
{
    ClientContext context;
    StreamingOutputCallRequest request;
    for (int size : kReplies)
        request.add_response_parameters()->set_size(size);
    auto stream = stubs.test->StreamingOutputCall(&context, request);
    StreamingOutputCallResponse reply;
    for (int size : kReplies) {
        Expect(stream->Read(&reply), "a reply comes");
        ExpectZeros(reply.payload(), size);
    }
    Expect(!stream->Read(&reply), "four replies come, no more");
    ExpectCode(stream->Finish(), StatusCode::OK);
}

// Compressed messages.

void ClientCompressedUnary(const Stubs &stubs)
{
    SimpleRequest request = LargeRequest();
    SimpleResponse reply;
    ClientContext probe;
    request.mutable_expect_compressed()->set_value(true);
    ExpectCode(stubs.test->UnaryCall(&probe, request, &reply), StatusCode::INVALID_ARGUMENT);
    for (bool compressed : {true, false}) {
        ClientContext context;
        context.set_compression_algorithm(compressed ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
        request.mutable_expect_compressed()->set_value(compressed);
        ExpectCode(stubs.test->UnaryCall(&context, request, &reply), StatusCode::OK);
        ExpectZeros(reply.payload(), kLargeReply);
    }
}

void ServerCompressedUnary(const Stubs &stubs)
{
    for (bool compressed : {true, false}) {
        ClientContext context;
        SimpleRequest request = LargeRequest();
        request.mutable_response_compressed()->set_value(compressed);
        SimpleResponse reply;
        ExpectCode(stubs.test->UnaryCall(&context, request, &reply), StatusCode::OK);
        ExpectZeros(reply.payload(), kLargeReply);
        Expect(grpc::testing::InteropClientContextInspector(context).WasCompressed() == compressed,
               "the reply comes compressed only as asked");
    }
}

bool WriteInput(grpc::ClientWriter<StreamingInputCallRequest> *stream, int size, bool expected,
                bool compressed)
{
    StreamingInputCallRequest request;
    SetZeros(request.mutable_payload(), size);
    request.mutable_expect_compressed()->set_value(expected);
    grpc::WriteOptions options;
    if (!compressed)
        options.set_no_compression();
    return stream->Write(request, options);
}

void ClientCompressedStreaming(const Stubs &stubs)
{
    StreamingInputCallResponse reply;
    ClientContext probe;
    probe.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    auto stream = stubs.test->StreamingInputCall(&probe, &reply);
    WriteInput(stream.get(), 27182, true, false);
    stream->WritesDone();
    ExpectCode(stream->Finish(), StatusCode::INVALID_ARGUMENT);

    ClientContext context;
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    stream = stubs.test->StreamingInputCall(&context, &reply);
    Expect(WriteInput(stream.get(), 27182, true, true), "a compressed request is sent");
    Expect(WriteInput(stream.get(), 45904, false, false), "an uncompressed request is sent");
    stream->WritesDone();
    ExpectCode(stream->Finish(), StatusCode::OK);
    Expect(reply.aggregated_payload_size() == 73086, "the server counts 73086 bytes");
}

void ServerCompressedStreaming(const Stubs &stubs)
{
    ClientContext context;
    StreamingOutputCallRequest request;
    for (bool compressed : {true, false}) {
        auto *wanted = request.add_response_parameters();
        wanted->set_size(compressed ? 31415 : 92653);
        wanted->mutable_compressed()->set_value(compressed);
    }
    auto stream = stubs.test->StreamingOutputCall(&context, request);
    StreamingOutputCallResponse reply;
    for (bool compressed : {true, false}) {
        Expect(stream->Read(&reply), "a reply comes");
        ExpectZeros(reply.payload(), compressed ? 31415 : 92653);
        Expect(grpc::testing::InteropClientContextInspector(context).WasCompressed() == compressed,
               "the reply comes compressed only as asked");
    }
    Expect(!stream->Read(&reply), "two replies come, no more");
    ExpectCode(stream->Finish(), StatusCode::OK);
}

void PingPong(const Stubs &stubs)
{
    ClientContext context;
    auto stream = stubs.test->FullDuplexCall(&context);
    StreamingOutputCallResponse reply;
    for (size_t i = 0; i < kRounds; i++) {
        Expect(stream->Write(DuplexRequest(kReplies[i], kSent[i])), "a request is sent");
        Expect(stream->Read(&reply), "a reply comes");
        ExpectZeros(reply.payload(), kReplies[i]);
    }
    stream->WritesDone();
    Expect(!stream->Read(&reply), "four replies come, no more");
    ExpectCode(stream->Finish(), StatusCode::OK);
}

void EmptyStream(const Stubs &stubs)
{
    ClientContext context;
    auto stream = stubs.test->FullDuplexCall(&context);
    stream->WritesDone();
    StreamingOutputCallResponse reply;
    Expect(!stream->Read(&reply), "no reply comes");
    ExpectCode(stream->Finish(), StatusCode::OK);
}

void CustomMetadata(const Stubs &stubs)
{
    ClientContext unary;
    AddMetadata(&unary);
    SimpleResponse response;
    ExpectCode(stubs.test->UnaryCall(&unary, LargeRequest(), &response), StatusCode::OK);
    ExpectZeros(response.payload(), kLargeReply);
    ExpectEchoes(unary);

    ClientContext duplex;
    AddMetadata(&duplex);
    auto stream = stubs.test->FullDuplexCall(&duplex);
    Expect(stream->Write(DuplexRequest(kLargeReply, kLargeRequest)), "a request is sent");
    stream->WritesDone();
    StreamingOutputCallResponse reply;
    Expect(stream->Read(&reply), "a reply comes");
    ExpectZeros(reply.payload(), kLargeReply);
    ExpectCode(stream->Finish(), StatusCode::OK);
    ExpectEchoes(duplex);
}

void ExpectUnaryStatus(const Stubs &stubs, const EchoStatus &wanted)
{
    ClientContext context;
    SimpleRequest request;
    *request.mutable_response_status() = wanted;
    SimpleResponse reply;
    ExpectStatus(stubs.test->UnaryCall(&context, request, &reply), wanted);
}

void StatusCodeAndMessage(const Stubs &stubs)
{
    EchoStatus wanted;
    wanted.set_code(StatusCode::UNKNOWN);
    wanted.set_message("test status message");
    ExpectUnaryStatus(stubs, wanted);

    ClientContext context;
    StreamingOutputCallRequest request;
    *request.mutable_response_status() = wanted;
    auto stream = stubs.test->FullDuplexCall(&context);
    stream->Write(request);
    stream->WritesDone();
    StreamingOutputCallResponse reply;
    Expect(!stream->Read(&reply), "no reply comes");
    ExpectStatus(stream->Finish(), wanted);
}

void SpecialStatusMessage(const Stubs &stubs)
{
    EchoStatus wanted;
    wanted.set_code(StatusCode::UNKNOWN);
    wanted.set_message("\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP "
                       "\U0001f608\t\n");
    ExpectUnaryStatus(stubs, wanted);
}

void UnimplementedMethod(const Stubs &stubs)
{
    ClientContext context;
    Empty reply;
    ExpectCode(stubs.test->UnimplementedCall(&context, Empty(), &reply), StatusCode::UNIMPLEMENTED);
}

void UnimplementedServiceCase(const Stubs &stubs)
{
    ClientContext context;
    Empty reply;
    ExpectCode(stubs.unimplemented->UnimplementedCall(&context, Empty(), &reply),
               StatusCode::UNIMPLEMENTED);
}

void CancelAfterBegin(const Stubs &stubs)
{
    ClientContext context;
    StreamingInputCallResponse reply;
    auto stream = stubs.test->StreamingInputCall(&context, &reply);
    context.TryCancel();
    ExpectCode(stream->Finish(), StatusCode::CANCELLED);
}

void CancelAfterFirstResponse(const Stubs &stubs)
{
    ClientContext context;
    auto stream = stubs.test->FullDuplexCall(&context);
    Expect(stream->Write(DuplexRequest(kReplies[0], kSent[0])), "a request is sent");
    StreamingOutputCallResponse reply;
    Expect(stream->Read(&reply), "a reply comes");
    ExpectZeros(reply.payload(), kReplies[0]);
    context.TryCancel();
    ExpectCode(stream->Finish(), StatusCode::CANCELLED);
}

void TimeoutOnSleepingServer(const Stubs &stubs)
{
    ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
    auto stream = stubs.test->FullDuplexCall(&context);
    StreamingOutputCallRequest request;
    SetZeros(request.mutable_payload(), kSent[0]);
    stream->Write(request);
    StreamingOutputCallResponse reply;
    Expect(!stream->Read(&reply), "no reply comes");
    ExpectCode(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

std::shared_ptr<grpc::Channel> OpenChannel()
{
    // A channel of its own, not one that shares another's connection.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (options.count("server_host_override"))
        arguments.SetSslTargetNameOverride(options["server_host_override"]);
    return grpc::CreateCustomChannel(options["server_host"] + ":" + options["server_port"],
                                     ChannelCredentials(options), arguments);
}

int NumberOption(const std::string &name, int fallback)
{
    return options.count(name) ? std::stoi(options[name]) : fallback;
}

void Soak(const Stubs &stubs, bool new_channels)
{
    int iterations = NumberOption("soak_iterations", 10);
    auto limit = std::chrono::milliseconds(
        NumberOption("soak_per_iteration_max_acceptable_latency_ms", 1000));
    int failures = 0;
    for (int i = 0; i < iterations; i++) {
        auto start = std::chrono::steady_clock::now();
        ClientContext context;
        SimpleResponse reply;
        std::unique_ptr<Stubs> own(new_channels ? new Stubs(OpenChannel()) : nullptr);
        Status status = (own ? *own : stubs).test->UnaryCall(&context, LargeRequest(), &reply);
        if (!status.ok() || reply.payload().body().size() != kLargeReply ||
            std::chrono::steady_clock::now() - start > limit)
            failures++;
    }
    Expect(failures <= NumberOption("soak_max_failures", 0),
           std::to_string(failures) + " calls failed or were late, at most as many as allowed");
}

void RpcSoak(const Stubs &stubs)
{
    Soak(stubs, false);
}

void ChannelSoak(const Stubs &stubs)
{
    Soak(stubs, true);
}

const std::map<std::string, void (*)(const Stubs &)> kCases = {
    {"empty_unary", EmptyUnary},
    {"large_unary", LargeUnary},
    {"client_streaming", ClientStreaming},
    {"server_streaming", ServerStreaming},
    {"client_compressed_unary", ClientCompressedUnary},
    {"server_compressed_unary", ServerCompressedUnary},
    {"client_compressed_streaming", ClientCompressedStreaming},
    {"server_compressed_streaming", ServerCompressedStreaming},
    {"ping_pong", PingPong},
    {"empty_stream", EmptyStream},
    {"custom_metadata", CustomMetadata},
    {"status_code_and_message", StatusCodeAndMessage},
    {"special_status_message", SpecialStatusMessage},
    {"unimplemented_method", UnimplementedMethod},
    {"unimplemented_service", UnimplementedServiceCase},
    {"cancel_after_begin", CancelAfterBegin},
    {"cancel_after_first_response", CancelAfterFirstResponse},
    {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
    {"rpc_soak", RpcSoak},
    {"channel_soak", ChannelSoak},
};

} // namespace

int main(int argc, char **argv)
{
    options = ReadOptions(argc, argv);
    auto found = kCases.find(options["test_case"]);
    if (found == kCases.end()) {
        std::cerr << "usage: " << argv[0] << " --server_host=H --server_port=P --test_case=CASE\n";
        return 2;
    }
    Stubs stubs(OpenChannel());
    try {
        found->second(stubs);
    } catch (const std::exception &error) {
        std::cerr << found->first << ": " << error.what() << "\n";
        return 1;
    }
    return 0;
}
