/* What a timer costs beside a million others: adding, moving, cancelling, running. CPU time. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weir/base/timers.h>

enum {
    PENDING = 1000000,
    ROUNDS = 9
};

#define GOAL_NS 150.0

static uint64_t random_state = 1;

static uint32_t next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33);
}

/** Timers of a program do not lie in memory in the order in which they are touched. */
static void shuffle(weir_timer **order, weir_timer *timers)
{
    for (size_t i = 0; i < PENDING; i++) {
        size_t other = next_random() % (i + 1);
        order[i] = order[other];
        order[other] = &timers[i];
    }
}

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void count(weir_timer *timer, void *user)
{
    (void)timer;
    ++*(size_t *)user;
}

struct cost {
    double add, move, cancel, run; /* ns for each timer */
};

static void keep_least(double *best, double ns)
{
    if (*best == 0 || ns < *best)
        *best = ns;
}

/** All of them at once: the last ones meet a million others. */
static void measure(weir_timer **timers, const weir_time *when, struct cost *best)
{
    static weir_timers wheel;
    size_t ran = 0;
    weir_timers_init(&wheel, (weir_time){0});
    double begin = cpu_ns();
    for (size_t i = 0; i < PENDING; i++)
        weir_timers_add(&wheel, timers[i], when[i], count, &ran);
    double added = cpu_ns();
    for (size_t i = 0; i < PENDING; i++)
        weir_timers_add(&wheel, timers[i], when[PENDING - 1 - i], count, &ran);
    double moved = cpu_ns();
    for (size_t i = 0; i < PENDING; i += 2)
        weir_timers_cancel(&wheel, timers[i]);
    double cancelled = cpu_ns();
    for (int64_t us = 0; us <= WEIR_SECONDS(600); us += 1000)
        weir_timers_advance(&wheel, (weir_time){us});
    double end = cpu_ns();
    if (ran != PENDING / 2)
        exit(EXIT_FAILURE);
    keep_least(&best->add, (added - begin) / PENDING);
    keep_least(&best->move, (moved - added) / PENDING);
    keep_least(&best->cancel, (cancelled - moved) / (PENDING / 2));
    keep_least(&best->run, (end - cancelled) / (PENDING / 2));
}

int main(void)
{
    weir_timer *timers = calloc(PENDING, sizeof *timers);
    weir_timer **order = calloc(PENDING, sizeof *order);
    weir_time *when = calloc(PENDING, sizeof *when);
    struct cost best = {0};
    if (!timers || !order || !when)
        return EXIT_FAILURE;
    shuffle(order, timers);
    for (size_t i = 0; i < PENDING; i++)
        when[i] = (weir_time){next_random() % WEIR_SECONDS(600)};
    for (int i = 0; i < ROUNDS; i++)
        measure(order, when, &best);
    free(timers);
    free(order);
    free(when);
    printf("%d timers over ten minutes: add %.0f ns, move %.0f ns, cancel %.0f ns, run %.0f ns\n",
           PENDING, best.add, best.move, best.cancel, best.run);
    if (best.add <= GOAL_NS && best.cancel <= GOAL_NS)
        return EXIT_SUCCESS;
    printf("goal missed: add and cancel cost at most %.0f ns\n", GOAL_NS);
    return EXIT_FAILURE;
}
