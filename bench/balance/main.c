/* What choosing a backend costs with each policy: a pick and the end of a call, while 100 calls are
 * under way; and a new list. CPU time. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weir/balance/balance.h>

enum {
    CALLS = 1000000,
    UNDER_WAY = 100,
    ROUNDS = 5,
    BACKENDS_MAX = 10000
};

static const struct {
    const char *name;
    weir_balance_config config;
    bool weights;
} kinds[] = {
    {"pick first", {.policy = WEIR_BALANCE_PICK_FIRST}, false},
    {"round robin", {.policy = WEIR_BALANCE_ROUND_ROBIN}, false},
    {"weighted, all equal", {.policy = WEIR_BALANCE_WEIGHTED_ROUND_ROBIN}, false},
    {"weighted, 1 to 10000", {.policy = WEIR_BALANCE_WEIGHTED_ROUND_ROBIN}, true},
    {"least outstanding", {.policy = WEIR_BALANCE_LEAST_OUTSTANDING}, false},
    {"least of 2", {.policy = WEIR_BALANCE_LEAST_OUTSTANDING, .choices = 2}, false},
    {"p2c", {.policy = WEIR_BALANCE_P2C}, false},
    {"p2c, weights", {.policy = WEIR_BALANCE_P2C}, true},
    {"ring, default", {.policy = WEIR_BALANCE_CONSISTENT_HASH}, false},
    {"ring of 65536",
     {.policy = WEIR_BALANCE_CONSISTENT_HASH, .ring_min = 65536, .ring_max = 131072},
     false},
};

static const size_t counts[] = {10, 1000, 10000};

static char addresses[BACKENDS_MAX][24];
static weir_endpoint endpoints[BACKENDS_MAX];
static weir_backend backends[BACKENDS_MAX];
static weir_backend *usable[BACKENDS_MAX];

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void make_backends(bool weights)
{
    uint64_t random = 1;
    for (size_t i = 0; i < BACKENDS_MAX; i++) {
        snprintf(addresses[i], sizeof *addresses, "10.0.%zu.%zu:80", i / 256, i % 256);
        endpoints[i] =
            (weir_endpoint){.address = weir_str_from(addresses[i]),
                            .weight = weights ? 1 + weir_random_below(&random, 10000) : 1};
        backends[i] = (weir_backend){.endpoint = &endpoints[i],
                                     .hash = weir_balance_hash(endpoints[i].address)};
        usable[i] = &backends[i];
    }
}

static void must(weir_err err)
{
    if (!err)
        return;
    fprintf(stderr, "%s\n", weir_err_text(err));
    exit(EXIT_FAILURE);
}

static weir_backend *begin(weir_balancer *balancer, weir_time now, uint64_t *random)
{
    weir_backend *backend =
        weir_balancer_pick(balancer, &(weir_pick){.now = now, .hash = weir_random_next(random)});
    backend->outstanding++;
    return backend;
}

static void end(weir_balancer *balancer, weir_time now, weir_backend *backend)
{
    backend->outstanding--;
    weir_balancer_done(balancer, backend, &(weir_outcome){.now = now, .latency_us = 1000});
}

/** @return ns for each call */
static double measure_calls(weir_balancer *balancer)
{
    weir_backend *running[UNDER_WAY];
    weir_time now = {WEIR_SECONDS(1)};
    uint64_t random = 1;
    for (size_t i = 0; i < UNDER_WAY; i++)
        running[i] = begin(balancer, now, &random);
    double begun = cpu_ns();
    for (size_t i = 0; i < CALLS; i++) {
        now.us += 10;
        end(balancer, now, running[i % UNDER_WAY]);
        running[i % UNDER_WAY] = begin(balancer, now, &random);
    }
    double ns = (cpu_ns() - begun) / CALLS;
    for (size_t i = 0; i < UNDER_WAY; i++)
        end(balancer, now, running[i]);
    return ns;
}

static void measure(size_t kind, size_t count)
{
    double best_call = 0, best_set = 0;
    for (int i = 0; i < ROUNDS; i++) {
        weir_balancer *balancer;
        make_backends(kinds[kind].weights);
        must(weir_balancer_new(&balancer, &kinds[kind].config, 1));
        double begun = cpu_ns();
        must(weir_balancer_set(balancer, usable, count));
        double set = cpu_ns() - begun, call = measure_calls(balancer);
        best_set = best_set == 0 || set < best_set ? set : best_set;
        best_call = best_call == 0 || call < best_call ? call : best_call;
        weir_balancer_free(balancer);
    }
    printf("%14.0f %11.0f", best_call, best_set / 1000);
}

int main(void)
{
    printf("%-22s", "ns a call, us a list");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        printf("%14zu %11s", counts[i], "");
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        printf("\n%-22s", kinds[kind].name);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            measure(kind, counts[i]);
    }
    printf("\n");
    return EXIT_SUCCESS;
}
