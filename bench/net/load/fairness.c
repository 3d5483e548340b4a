/* A busy connection and a quiet one: what does the quiet one notice? */
#include "histogram.h"
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    PING_BYTES = 64,
    PING_EVERY_NS = 1000000,
    SILENCE_NS = 2000000000 /* a ping without an echo, so long, is a failure */
};

typedef struct run {
    const load *load;
    int epoll;
    stream busy, quiet;
    int64_t ping_ns; /* when the last one was sent */
    histogram latencies;
} run;

static bool watch(const run *r, stream *s, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = s};
    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, s->fd, &event) == 0;
}

static bool ping(run *r, int64_t now)
{
    stream *s = &r->quiet;
    bool waits = s->received < s->sent;
    if (waits || now - r->ping_ns < PING_EVERY_NS)
        return !waits || now - r->ping_ns < SILENCE_NS;
    r->ping_ns = now;
    s->to_send += PING_BYTES;
    return stream_send(s) && s->sent == s->to_send;
}

static bool receive_ping(run *r)
{
    ssize_t n = stream_receive(&r->quiet);
    if (n > 0 && r->quiet.received == r->quiet.sent)
        histogram_add(&r->latencies, now_ns() - r->ping_ns);
    return n >= 0;
}

/** Always as many bytes under way as the kernel and the server take. */
static bool flood(run *r, unsigned events)
{
    r->busy.to_send = r->busy.sent + STREAM_BLOCK;
    return ((events & EPOLLOUT) == 0 || stream_send(&r->busy)) &&
           ((events & EPOLLIN) == 0 || stream_receive(&r->busy) >= 0) &&
           (events & (EPOLLERR | EPOLLHUP)) == 0;
}

static bool turn(run *r)
{
    struct epoll_event events[2];
    int count = epoll_wait(r->epoll, events, 2, 1);
    /* The quiet one first, so that its latency is not that of this program. */
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr == &r->quiet && !receive_ping(r))
            return false;
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr == &r->busy && !flood(r, events[i].events))
            return false;
    return true;
}

static void print_result(const run *r, int64_t took_ns)
{
    const histogram *h = &r->latencies;
    printf("pings %llu\n", (unsigned long long)h->total);
    printf("p50_us %.1f\n", (double)histogram_quantile(h, 0.5) / 1000);
    printf("p99_us %.1f\n", (double)histogram_quantile(h, 0.99) / 1000);
    printf("busy_mb_per_s %.0f\n", (double)r->busy.received * 1000 / (double)took_ns);
}

static int measure(run *r)
{
    int64_t start = now_ns(), now;
    while ((now = now_ns()) - start < r->load->duration_us * 1000)
        if (!ping(r, now) || !turn(r))
            return failure(r->load->program, "a connection was closed, or its echo was wrong");
    print_result(r, now - start);
    return 0;
}

int load_fairness(const load *l)
{
    static run r;
    r.load = l;
    r.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!load_connect(l, &r.quiet, 0) || !load_connect(l, &r.busy, 1))
        return EXIT_FAILED;
    if (r.epoll < 0 || !watch(&r, &r.quiet, EPOLLIN) || !watch(&r, &r.busy, EPOLLIN | EPOLLOUT))
        return failure(l->program, "%s", strerror(errno));
    return measure(&r);
}
