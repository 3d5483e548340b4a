// echo.Echo on gRPC C++'s callback API, its fastest one: the peer of weir-bench-server.
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"

namespace
{

using grpc::CallbackServerContext;
using grpc::Status;

// Reads a message, writes it back, reads the next one.
class StreamEcho final : public grpc::ServerBidiReactor<echo::EchoRequest, echo::EchoResponse>
{
  public:
    StreamEcho()
    {
        StartRead(&request_);
    }

    void OnReadDone(bool ok) override
    {
        if (!ok) {
            Finish(Status::OK);
            return;
        }
        response_.set_message(request_.message());
        StartWrite(&response_);
    }

    void OnWriteDone(bool ok) override
    {
        if (ok)
            StartRead(&request_);
        else
            Finish(Status::CANCELLED);
    }

    void OnDone() override
    {
        delete this;
    }

  private:
    echo::EchoRequest request_;
    echo::EchoResponse response_;
};

class EchoService final : public echo::Echo::CallbackService
{
    grpc::ServerUnaryReactor *UnaryEcho(CallbackServerContext *context,
                                        const echo::EchoRequest *request,
                                        echo::EchoResponse *response) override
    {
        response->set_message(request->message());
        auto *reactor = context->DefaultReactor();
        reactor->Finish(Status::OK);
        return reactor;
    }

    grpc::ServerBidiReactor<echo::EchoRequest, echo::EchoResponse> *
    StreamEcho(CallbackServerContext *) override
    {
        return new ::StreamEcho();
    }
};

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3 || std::string(argv[1]) != "--listen") {
        std::cerr << "usage: " << argv[0] << " --listen ADDR:PORT\n";
        return 2;
    }
    // Blocked before gRPC starts its threads, so that only sigwait() gets it.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    const std::string addr = argv[2];
    EchoService service;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(addr, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        return 1;
    std::cout << "listening on " << addr.substr(0, addr.rfind(':')) << ":" << port << std::endl;
    int number = 0;
    sigwait(&signals, &number);
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    return 0;
}
