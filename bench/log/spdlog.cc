// spdlog's asynchronous logger with what weir-bench-log measures, and the same output.
// usage: bench-log-spdlog THREADS MESSAGES FILE
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <time.h>
#include <vector>

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

namespace
{

constexpr size_t queue_lines = 32768; // of 256 bytes or more each: not less memory than weir has

int64_t clock_ns(clockid_t clock)
{
    timespec ts;
    clock_gettime(clock, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

struct times {
    int64_t wall_ns = 0, cpu_ns = 0;
};

times produce(spdlog::logger *logger, std::shared_future<void> go, int messages, int number)
{
    go.wait();
    int64_t wall_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < messages; i++)
        SPDLOG_LOGGER_INFO(logger,
                           "message {} of thread {}: the quick brown fox jumps over the lazy dog",
                           i, number);
    return {clock_ns(CLOCK_MONOTONIC) - wall_ns, clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns};
}

times run_producers(spdlog::logger *logger, int threads, int messages)
{
    std::promise<void> go;
    std::shared_future<void> gone = go.get_future().share();
    std::vector<std::future<times>> producers;
    times sum;
    for (int i = 0; i < threads; i++)
        producers.push_back(std::async(std::launch::async, produce, logger, gone, messages, i));
    go.set_value();
    for (auto &producer : producers) {
        times its = producer.get();
        sum.wall_ns += its.wall_ns;
        sum.cpu_ns += its.cpu_ns;
    }
    return sum;
}

struct contents {
    long long lines = 0, bytes = 0;
};

contents count(const char *file)
{
    std::ifstream in(file);
    contents found;
    for (std::string line; std::getline(in, line); found.lines++)
        found.bytes += static_cast<long long>(line.size()) + 1;
    return found;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::fprintf(stderr, "usage: bench-log-spdlog THREADS MESSAGES FILE\n");
        return 2;
    }
    int threads = std::atoi(argv[1]), messages = std::atoi(argv[2]);
    spdlog::init_thread_pool(queue_lines, 1);
    auto logger = spdlog::create_async<spdlog::sinks::basic_file_sink_mt>("bench", argv[3], true);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ %-5l %t %s:%# %v", spdlog::pattern_time_type::utc);

    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    times sum = run_producers(logger.get(), threads, messages);
    logger.reset();
    spdlog::shutdown(); // writes what is queued
    double seconds = static_cast<double>(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;

    contents found = count(argv[3]);
    double calls = static_cast<double>(threads) * messages;
    std::printf("%.1f ns per call on the front end, %.1f ns of it on a CPU\n",
                static_cast<double>(sum.wall_ns) / calls, static_cast<double>(sum.cpu_ns) / calls);
    std::printf("%.0f messages/s, %.1f MB/s to %s\n", calls / seconds,
                static_cast<double>(found.bytes) / 1e6 / seconds, argv[3]);
    std::printf("%lld lines in the file\n", found.lines);
    return 0;
}
