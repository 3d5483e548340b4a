#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PERIOD = 4093
};

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/** A whole block of content from any place on. */
static const char *pattern_at(uint64_t position)
{
    static char pattern[PERIOD + STREAM_BLOCK];
    static bool filled;
    if (!filled) {
        uint32_t state = 1;
        for (size_t i = 0; i < sizeof pattern; i++) {
            state = state * 1664525 + 1013904223;
            pattern[i] = i < PERIOD ? (char)(state >> 24) : pattern[i - PERIOD];
        }
        filled = true;
    }
    return pattern + position % PERIOD;
}

bool stream_parse_addr(const char *text, struct sockaddr_in *out)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : sizeof host;
    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return port > 0 && port <= UINT16_MAX && *end == '\0' &&
           inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

static bool bind_source(int fd, const struct in_addr *source)
{
    int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = *source};
    return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
           bind(fd, (struct sockaddr *)&from, sizeof from) == 0;
}

bool stream_open(stream *s, const struct sockaddr_in *to, const struct in_addr *source,
                 uint64_t seed)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if ((source && !bind_source(fd, source)) ||
        connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return false;
    }
    *s = (stream){.fd = fd, .seed = seed};
    return true;
}

void stream_close(stream *s)
{
    close(s->fd);
}

bool stream_send(stream *s)
{
    s->blocked = false;
    while (s->sent < s->to_send && !s->blocked) {
        uint64_t left = s->to_send - s->sent;
        size_t len = left < STREAM_BLOCK ? (size_t)left : STREAM_BLOCK;
        ssize_t n = send(s->fd, pattern_at(s->seed + s->sent), len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            n = 0;
        if (n < 0)
            return false;
        s->sent += (uint64_t)n;
        s->blocked = (size_t)n < len;
    }
    return true;
}

ssize_t stream_receive(stream *s)
{
    char input[STREAM_BLOCK];
    ssize_t n = recv(s->fd, input, sizeof input, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0 || (uint64_t)n > s->sent - s->received ||
        memcmp(input, pattern_at(s->seed + s->received), (size_t)n) != 0)
        return -1;
    s->received += (uint64_t)n;
    return n;
}
