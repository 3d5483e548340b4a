/* The closed loop: a message goes out when the echo of an earlier one is complete. */
#include "histogram.h"
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    SILENCE_MS = 10000, /* without an echo, so long, is a failure */
    SEED_STEP = 97
};

typedef struct peer {
    stream stream;
    uint64_t started, finished; /* messages */
    int64_t *sent_at_ns;        /* of the messages under way, a ring */
} peer;

typedef struct run {
    const load *load;
    int epoll;
    peer *peers;
    uint64_t started, finished; /* messages of all peers in this phase */
    uint64_t limit;             /* so many are started */
    int64_t end_ns;             /* none is started after it */
    histogram latencies;
} run;

/** @return whether the poller knows what it waits for */
static bool watch(const run *r, peer *p, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (p->stream.blocked ? EPOLLOUT : 0u),
                                .data.ptr = p};
    return epoll_ctl(r->epoll, operation, p->stream.fd, &event) == 0;
}

static bool send_out(const run *r, peer *p)
{
    bool was_blocked = p->stream.blocked;
    return stream_send(&p->stream) &&
           (p->stream.blocked == was_blocked || watch(r, p, EPOLL_CTL_MOD));
}

static bool start_messages(run *r, peer *p, uint64_t under_way_max, int64_t now)
{
    const load *l = r->load;
    while (p->started - p->finished < under_way_max && r->started < r->limit && now < r->end_ns) {
        p->sent_at_ns[p->started++ % (uint64_t)l->pipeline] = now;
        p->stream.to_send += (uint64_t)l->size_bytes;
        r->started++;
    }
    return p->stream.sent == p->stream.to_send || send_out(r, p);
}

static void finish_messages(run *r, peer *p, int64_t now)
{
    uint64_t finished = p->stream.received / (uint64_t)r->load->size_bytes;
    for (; p->finished < finished; p->finished++) {
        histogram_add(&r->latencies,
                      now - p->sent_at_ns[p->finished % (uint64_t)r->load->pipeline]);
        r->finished++;
    }
}

static bool on_ready(run *r, peer *p, unsigned events)
{
    if ((events & EPOLLOUT) && !send_out(r, p))
        return false;
    if (!(events & ~(unsigned)EPOLLOUT))
        return true;
    ssize_t n = stream_receive(&p->stream);
    if (n <= 0)
        return n == 0;
    int64_t now = now_ns();
    finish_messages(r, p, now);
    return start_messages(r, p, (uint64_t)r->load->pipeline, now);
}

/** Until every message that was started has come back. */
static bool drive(run *r)
{
    struct epoll_event events[EVENTS_MAX];
    while (r->finished < r->started) {
        int count = epoll_wait(r->epoll, events, EVENTS_MAX, SILENCE_MS);
        if (count == 0) {
            failure(r->load->program, "no echo for %d ms", SILENCE_MS);
            return false;
        }
        for (int i = 0; i < count; i++)
            if (!on_ready(r, events[i].data.ptr, events[i].events)) {
                failure(r->load->program, "a connection was closed, or its echo was wrong");
                return false;
            }
    }
    return true;
}

/**
 * A phase: starts messages on all connections and waits for the last echo.
 * @param limit         messages in all
 * @param under_way_max messages that each connection begins with
 */
static bool run_phase(run *r, uint64_t limit, int64_t duration_ns, uint64_t under_way_max)
{
    r->started = r->finished = 0;
    r->limit = limit;
    r->end_ns = duration_ns > 0 ? now_ns() + duration_ns : INT64_MAX;
    r->latencies = (histogram){0};
    for (int64_t i = 0; i < r->load->connections; i++)
        if (!start_messages(r, &r->peers[i], under_way_max, now_ns())) {
            failure(r->load->program, "a connection was closed");
            return false;
        }
    return drive(r);
}

static bool open_peers(run *r)
{
    const load *l = r->load;
    for (int64_t i = 0; i < l->connections; i++) {
        peer *p = &r->peers[i];
        if (!load_connect(l, &p->stream, (uint64_t)i * SEED_STEP))
            return false;
        p->sent_at_ns = calloc((size_t)l->pipeline, sizeof *p->sent_at_ns);
        if (!p->sent_at_ns || !watch(r, p, EPOLL_CTL_ADD)) {
            failure(l->program, "%s", strerror(errno));
            return false;
        }
    }
    return true;
}

static void print_result(const run *r, int64_t took_ns)
{
    const histogram *h = &r->latencies;
    printf("requests %llu\n", (unsigned long long)r->finished);
    printf("requests_per_s %.0f\n", (double)r->finished * 1e9 / (double)took_ns);
    printf("p50_us %.1f\n", (double)histogram_quantile(h, 0.5) / 1000);
    printf("p99_us %.1f\n", (double)histogram_quantile(h, 0.99) / 1000);
    printf("p999_us %.1f\n", (double)histogram_quantile(h, 0.999) / 1000);
    fflush(stdout);
}

static int measure(run *r)
{
    const load *l = r->load;
    /* One echo each tells that the server has accepted them all: that is not measured. */
    if (!open_peers(r) || !run_phase(r, (uint64_t)l->connections, 0, 1))
        return EXIT_FAILED;
    printf("connected %lld\n", (long long)l->connections);
    fflush(stdout);
    uint64_t limit = l->requests > 0 ? (uint64_t)l->requests : UINT64_MAX;
    int64_t duration_ns = l->requests > 0 ? 0 : l->duration_us * 1000;
    int64_t start = now_ns();
    if (!run_phase(r, limit, duration_ns, (uint64_t)l->pipeline))
        return EXIT_FAILED;
    print_result(r, now_ns() - start);
    return 0;
}

int load_echo(const load *l)
{
    static run r;
    r.load = l;
    r.epoll = epoll_create1(EPOLL_CLOEXEC);
    r.peers = calloc((size_t)l->connections, sizeof *r.peers);
    if (r.epoll < 0 || !r.peers)
        return failure(l->program, "%s", strerror(errno));
    return measure(&r); /* the connections end with the process, after the result was printed */
}
