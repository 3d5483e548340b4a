/* What callers see when one backend of five is ten times slower: a simulation with calls that
 * arrive at random (Poisson), and backends with some workers and a queue. */
#include <weir/balance/balancer.h>

#include <math.h>
#include <string.h>

#include "balance_test.h"

enum {
    BACKENDS = 5,
    WORKERS = 8,
    CALLS = 200000,
    WARM_UP = 20000
};

struct call {
    int64_t begin_us, end_us; /* end: once a worker has it */
};

struct server {
    struct call *calls; /* in the order of their arrival */
    size_t count, taken;
    struct call *busy[WORKERS];
    double slower;
};

struct simulation {
    struct cluster c;
    struct server servers[BACKENDS];
    int64_t *latencies;
    size_t ended;
};

static double uniform(struct simulation *s)
{
    return ((double)(weir_random_next(&s->c.random) >> 11) + 0.5) / 9007199254740992.0;
}

static double exponential(struct simulation *s, double mean)
{
    return -mean * log(uniform(s));
}

/** Log-normal with a median of 10 ms and a mean of 16.5 ms: a few calls take much longer. */
static double service_us(struct simulation *s, const struct server *server)
{
    double normal = sqrt(-2 * log(uniform(s))) * cos(6.283185307179586 * uniform(s));
    return 10000 * exp(normal) * server->slower;
}

static void start_next(struct simulation *s, struct server *server)
{
    for (int w = 0; w < WORKERS && server->taken < server->count; w++)
        if (!server->busy[w]) {
            server->busy[w] = &server->calls[server->taken++];
            server->busy[w]->end_us = s->c.now.us + 1 + (int64_t)service_us(s, server);
        }
}

static void arrive(struct simulation *s)
{
    struct server *server = &s->servers[cluster_begin(&s->c)];
    server->calls[server->count++] = (struct call){.begin_us = s->c.now.us};
    start_next(s, server);
}

static void end(struct simulation *s, size_t index, int worker)
{
    struct server *server = &s->servers[index];
    int64_t latency_us = s->c.now.us - server->busy[worker]->begin_us;
    server->busy[worker] = NULL;
    s->latencies[s->ended++] = latency_us;
    cluster_end(&s->c, index, latency_us, false);
    start_next(s, server);
}

/** The end that comes next, if it comes until then. */
static bool end_until(struct simulation *s, int64_t until_us)
{
    size_t index = 0;
    int worker = -1;
    for (size_t i = 0; i < BACKENDS; i++)
        for (int w = 0; w < WORKERS; w++) {
            const struct call *call = s->servers[i].busy[w];
            if (call && call->end_us <= until_us) {
                until_us = call->end_us;
                index = i;
                worker = w;
            }
        }
    if (worker < 0)
        return false;
    s->c.now.us = until_us;
    end(s, index, worker);
    return true;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/** The p99 in milliseconds. @param load  of what five healthy backends can do */
static double p99_ms(weir_balance_config config, double load, double slower)
{
    struct simulation s = {.c = cluster_of(BACKENDS, &config)};
    double gap_us = 16487 / (load * BACKENDS * WORKERS), next_us = (double)s.c.now.us;
    s.latencies = calloc(CALLS, sizeof *s.latencies);
    for (int i = 0; i < BACKENDS; i++)
        s.servers[i] = (struct server){.slower = i == 2 ? slower : 1,
                                       .calls = calloc(CALLS, sizeof(struct call))};
    for (int n = 0; n < CALLS; n++) {
        next_us += exponential(&s, gap_us);
        while (end_until(&s, (int64_t)next_us))
            ;
        s.c.now.us = (int64_t)next_us;
        arrive(&s);
    }
    while (end_until(&s, INT64_MAX))
        ;
    assert_int_equal(s.ended, CALLS);
    qsort(s.latencies + WARM_UP, CALLS - WARM_UP, sizeof *s.latencies, by_value);
    double p99 = (double)s.latencies[WARM_UP + (CALLS - WARM_UP) / 100 * 99] / 1000;
    printf("   slow one: %.2f %% of calls\n", s.c.picked[2] * 100.0 / CALLS);
    for (int i = 0; i < BACKENDS; i++)
        free(s.servers[i].calls);
    free(s.latencies);
    cluster_free(&s.c);
    return p99;
}

/** How much worse the p99 is with one slow backend. */
static double worse(const char *name, weir_balance_config config, double load)
{
    double healthy = p99_ms(config, load, 1), slow = p99_ms(config, load, 10);
    printf("%s at %.0f %% load: p99 %.1f ms, with one slow backend of five %.1f ms: %.2f times\n",
           name, load * 100, healthy, slow, slow / healthy);
    return slow / healthy;
}

static const weir_balance_config p2c = {.policy = WEIR_BALANCE_P2C};
static const weir_balance_config least = {.policy = WEIR_BALANCE_LEAST_OUTSTANDING};
static const weir_balance_config round_robin = {.policy = WEIR_BALANCE_ROUND_ROBIN};

TEST(latency, one_slow_backend_makes_the_p99_of_p2c_at_most_half_as_long_again)
{
    assert_true(worse("p2c", p2c, 0.05) <= 1.5);
    assert_true(worse("p2c", p2c, 0.5) <= 1.5);
}

/* By Little's law a backend that holds as many calls as the others and is ten times slower gets
 * 1/41 of the calls, 2.4 %, so the p99 is that of many of its calls. Counting alone cannot do
 * better; while most are idle, it does worse. */
TEST(latency, one_slow_backend_makes_the_p99_of_least_outstanding_at_most_three_times_as_long)
{
    assert_true(worse("least outstanding", least, 0.05) <= 3);
    assert_true(worse("least outstanding", least, 0.5) <= 2.5);
}

TEST(latency, one_slow_backend_ruins_round_robin)
{
    assert_true(worse("round robin", round_robin, 0.05) > 4);
    assert_true(worse("round robin", round_robin, 0.5) > 100);
}
