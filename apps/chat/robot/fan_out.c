/* One message at a time to a large room, until everybody has it. */
#include "robot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIMIT_US WEIR_SECONDS(10)
#define PAUSE_US 100000

void fan_out_received(robot *self, uint32_t member, const tag *of)
{
    fan_out *now = &self->fan_out;
    if (of->number != atomic_load(&now->number))
        return;
    now->took_us[member] = robot_now_us(self) - of->time_us;
    atomic_fetch_sub(&now->missing, 1); /* also makes the line above visible */
}

static void send_one(weir_task *task, weir_err err)
{
    robot *self = WEIR_CONTAINER_OF(WEIR_CONTAINER_OF(task, fan_out, task), robot, fan_out);
    if (!err)
        user_send(&self->memberships[0], robot_now_us(self));
}

static int compare(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

typedef struct figures {
    histogram median, most, last;
} figures;

static void note(robot *self, figures *of)
{
    size_t count = self->opts.users;
    int64_t *took = self->fan_out.took_us;
    qsort(took, count, sizeof *took, compare);
    histogram_add(&of->median, took[count / 2]);
    histogram_add(&of->most, took[count * 99 / 100]);
    histogram_add(&of->last, took[count - 1]);
}

/** @return false: somebody has not got it */
static bool run_one(robot *self, uint32_t number)
{
    fan_out *now = &self->fan_out;
    atomic_store(&now->missing, self->opts.users);
    atomic_store(&now->number, number);
    int64_t end_us = robot_now_us(self) + LIMIT_US;
    weir_loop_post(self->workers[0].loop, &now->task, send_one);
    while (atomic_load(&now->missing) > 0) {
        if (atomic_load(&self->broken))
            return false;
        if (robot_now_us(self) > end_us) {
            fprintf(stderr, "weir-chat-robot: %u of %u have not got a message in %d s\n",
                    atomic_load(&now->missing), self->opts.users, (int)(LIMIT_US / 1000000));
            return false;
        }
        usleep(1000);
    }
    return true;
}

static void print(const robot *self, const figures *of)
{
    const histogram *rows[] = {&of->median, &of->most, &of->last};
    static const char *const names[] = {"median_member", "p99_member", "last_member"};
    static const char *const texts[] = {"the median member", "99 % of the members",
                                        "the last member"};
    if (self->opts.json)
        printf("{\"members\": %u, \"messages\": %llu", self->opts.users,
               (unsigned long long)of->last.count);
    else
        printf("%llu messages to %u members, each; milliseconds until it has\n",
               (unsigned long long)of->last.count, self->opts.users);
    for (unsigned i = 0; i < 3; i++) {
        double ms[3];
        for (unsigned p = 0; p < 3; p++)
            ms[p] = (double)histogram_percentile_us(rows[i], p == 2 ? 100 : p == 1 ? 90 : 50) / 1e3;
        if (self->opts.json)
            printf(", \"%s_ms\": {\"p50\": %.3f, \"p90\": %.3f, \"max\": %.3f}", names[i], ms[0],
                   ms[1], ms[2]);
        else
            printf("  %-20s p50 %8.1f  p90 %8.1f  max %8.1f\n", texts[i], ms[0], ms[1], ms[2]);
    }
    puts(self->opts.json ? "}" : "");
}

bool fan_out_run(robot *self)
{
    figures *of = calloc(1, sizeof *of);
    bool good = of != NULL;
    int64_t end_us = robot_now_us(self) + WEIR_SECONDS((int64_t)self->opts.seconds);
    for (uint32_t number = 1; good && robot_now_us(self) < end_us; number++) {
        good = run_one(self, number);
        if (good)
            note(self, of);
        usleep(PAUSE_US);
    }
    if (of)
        print(self, of);
    free(of);
    return good;
}
