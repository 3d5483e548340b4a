/* bench-net-load: TCP load for an echo server, every byte of the answers compared. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static void read_addrs(load *l, const char *to, const char *source)
{
    if (!stream_parse_addr(to, &l->to))
        usage_error(l->program, "--connect takes an IPv4 address and a port, not \"%s\"", to);
    if (inet_pton(AF_INET, source, &l->source) != 1)
        usage_error(l->program, "--source takes an IPv4 address, not \"%s\"", source);
}

bool load_connect(const load *l, stream *s, uint64_t seed)
{
    if (stream_open(s, &l->to, l->source.s_addr != INADDR_ANY ? &l->source : NULL, seed))
        return true;
    failure(l->program, "cannot connect: %s", strerror(errno));
    return false;
}

int main(int argc, char **argv)
{
    load l = {.connections = 1, .size_bytes = 64, .pipeline = 1, .duration_us = 1000000};
    const char *to = "127.0.0.1:8000", *source = "0.0.0.0";
    bool hold = false, busy = false;
    const struct option_row rows[] = {
        {"connect", "HOST:PORT", "the server; default 127.0.0.1:8000", OPTION_TEXT, &to, 0, 0},
        {"source", "HOST", "connect from this address", OPTION_TEXT, &source, 0, 0},
        {"connections", "N", "default 1", OPTION_NUMBER, &l.connections, 1, 60000},
        {"size", "BYTES", "of a message; default 64", OPTION_NUMBER, &l.size_bytes, 1, 1 << 20},
        {"pipeline", "K", "messages under way on each connection; default 1", OPTION_NUMBER,
         &l.pipeline, 1, 4096},
        {"seconds", "S", "default 1", OPTION_DURATION, &l.duration_us, 0, 0},
        {"requests", "R", "so many messages in all, however long it takes", OPTION_NUMBER,
         &l.requests, 1, INT64_MAX},
        {"busy", NULL, "a busy connection, and the latency of a quiet one", OPTION_FLAG, &busy, 0,
         0},
        {"hold", NULL, "connections that do nothing, until standard input ends", OPTION_FLAG, &hold,
         0, 0},
        {"http", NULL, "those held ask for a greeting first, not for an echo", OPTION_FLAG, &l.http,
         0, 0},
    };
    const struct program program = {
        .name = "bench-net-load",
        .summary = "Sends messages to an echo server and compares every byte that comes back.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0]};
    l.program = &program;
    options_read(&program, argc, argv);
    read_addrs(&l, to, source);
    return hold ? load_hold(&l) : busy ? load_fairness(&l) : load_echo(&l);
}
