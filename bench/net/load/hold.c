/* Connections that are there and do nothing. */
#include "load.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ECHO_BYTES = 64,
    ANSWER_MS = 10000
};

static bool has_input(const stream *s)
{
    struct pollfd fd = {.fd = s->fd, .events = POLLIN};
    return poll(&fd, 1, ANSWER_MS) == 1;
}

static bool get_echo(stream *s)
{
    s->to_send = ECHO_BYTES;
    if (!stream_send(s))
        return false;
    while (s->received < s->sent)
        if (!has_input(s) || stream_receive(s) < 0)
            return false;
    return true;
}

static bool get_greeting(const stream *s)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
    char answer[4096];
    return send(s->fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1 &&
           has_input(s) && recv(s->fd, answer, sizeof answer, 0) > 0;
}

int load_hold(const load *l)
{
    for (int64_t i = 0; i < l->connections; i++) {
        stream s; /* its descriptor ends with the process */
        if (!load_connect(l, &s, (uint64_t)i))
            return EXIT_FAILED;
        if (l->http ? !get_greeting(&s) : !get_echo(&s))
            return failure(l->program, "connection %lld was not answered", (long long)i + 1);
    }
    printf("holding %lld\n", (long long)l->connections);
    fflush(stdout);
    char scrap[64];
    while (read(STDIN_FILENO, scrap, sizeof scrap) > 0)
        continue;
    return 0;
}
