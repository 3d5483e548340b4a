// bench-client-grpc: the same load as bench-client-weir with gRPC C++'s asynchronous API
// (completion queue), in one thread of ours.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"

namespace
{

const std::string kText = "twenty-three characters";

struct Call {
    explicit Call(echo::Echo::Stub *stub) : stub(stub)
    {
        request.set_message(kText);
    }

    void Start(grpc::CompletionQueue *queue)
    {
        context = std::make_unique<grpc::ClientContext>();
        context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
        reader = stub->AsyncUnaryEcho(context.get(), request, queue);
        reader->Finish(&response, &status, this);
    }

    echo::Echo::Stub *stub;
    echo::EchoRequest request;
    echo::EchoResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<echo::EchoResponse>> reader;
};

double CpuUs()
{
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s ADDR:PORT CONNECTIONS STREAMS CALLS\n", argv[0]);
        return 2;
    }
    const long connections = std::atol(argv[2]), streams = std::atol(argv[3]);
    const long calls = std::atol(argv[4]);
    std::vector<std::unique_ptr<echo::Echo::Stub>> stubs;
    std::vector<std::unique_ptr<Call>> places;
    for (long c = 0; c < connections; c++) {
        grpc::ChannelArguments arguments; // a connection of its own
        arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
        stubs.push_back(echo::Echo::NewStub(
            grpc::CreateCustomChannel(argv[1], grpc::InsecureChannelCredentials(), arguments)));
        for (long s = 0; s < streams; s++)
            places.push_back(std::make_unique<Call>(stubs.back().get()));
    }
    grpc::CompletionQueue queue;
    const auto start = std::chrono::steady_clock::now();
    const double before = CpuUs();
    long started = 0, ended = 0, failed = 0;
    for (auto &place : places) {
        if (started++ < calls)
            place->Start(&queue);
    }
    void *tag;
    bool ok;
    while (ended < calls && queue.Next(&tag, &ok)) {
        auto *call = static_cast<Call *>(tag);
        ended++;
        failed += !ok || !call->status.ok() || call->response.message() != kText;
        if (started++ < calls)
            call->Start(&queue);
    }
    const double cpu = CpuUs() - before;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (failed > 0) {
        std::fprintf(stderr, "%ld calls failed\n", failed);
        return 1;
    }
    std::printf("%.0f calls/s, %.3f us of CPU each\n", static_cast<double>(calls) / took.count(),
                cpu / static_cast<double>(calls));
    return 0;
}
