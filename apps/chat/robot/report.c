#include "robot.h"

#include <stdio.h>
#include <stdlib.h>

unsigned long report_lost(const robot *self)
{
    unsigned long lost = 0;
    for (size_t i = 0; i < self->membership_count; i++) {
        const membership *in = &self->memberships[i];
        unsigned stored = atomic_load(&in->group->stored);
        unsigned received = atomic_load(&in->received);
        lost += stored > received ? stored - received : 0;
    }
    return lost;
}

/** A figure with its name in JSON, and as people read it. */
static void print_count(const robot *self, const char *name, unsigned long value)
{
    printf(self->opts.json ? "\"%s\": %lu, " : "%-20s %lu\n", name, value);
}

static void print_rate(const robot *self, const char *name, double value)
{
    printf(self->opts.json ? "\"%s\": %.1f, " : "%-20s %.1f\n", name, value);
}

static void print_latency(const robot *self, const char *name, const histogram *of)
{
    printf(self->opts.json
               ? "\"%s\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}, "
               : "%-20s p50 %.1f  p90 %.1f  p99 %.1f  max %.1f\n",
           name, (double)histogram_percentile_us(of, 50) / 1e3,
           (double)histogram_percentile_us(of, 90) / 1e3,
           (double)histogram_percentile_us(of, 99) / 1e3, (double)of->max_us / 1e3);
}

static void print_clients(robot *self)
{
    chat_client_counters all = {0};
    for (uint32_t i = 0; i < self->opts.loops; i++) {
        const chat_client_counters *of = &self->workers[i].clients;
        all.reconnects += of->reconnects;
        all.retransmissions += of->retransmissions;
        all.duplicates += of->duplicates;
        all.gaps_pulled += of->gaps_pulled;
        all.queued_now += of->queued_now;
    }
    print_count(self, "reconnects", all.reconnects);
    print_count(self, "retransmissions", all.retransmissions);
    print_count(self, "duplicate_pushes", all.duplicates);
    print_count(self, "gaps_pulled", all.gaps_pulled);
    print_count(self, "unanswered", all.queued_now);
}

static void print_latencies(const robot *self)
{
    histogram *all = calloc(2, sizeof *all);
    for (uint32_t i = 0; all && i < self->opts.loops; i++) {
        histogram_merge(&all[0], &self->workers[i].answers);
        histogram_merge(&all[1], &self->workers[i].deliveries);
    }
    if (all) {
        print_latency(self, "answer_ms", &all[0]);
        print_latency(self, "delivery_ms", &all[1]);
    }
    free(all);
}

bool report_run(robot *self, const period *of)
{
    unsigned long lost = report_lost(self);
    unsigned long repeated = workers_sum(self, offsetof(counts, repeated));
    unsigned long disordered = workers_sum(self, offsetof(counts, disordered));
    unsigned long failed = workers_sum(self, offsetof(counts, failed));
    if (self->opts.json)
        putchar('{');
    print_count(self, "users", self->opts.users);
    print_count(self, "rate", of->rate);
    print_count(self, "stored", workers_sum(self, offsetof(counts, stored)));
    print_count(self, "delivered", workers_sum(self, offsetof(counts, received)));
    print_count(self, "lost", lost);
    print_count(self, "repeated", repeated);
    print_count(self, "disordered", disordered);
    print_count(self, "skipped_seqs", workers_sum(self, offsetof(counts, missing)));
    print_count(self, "failed", failed);
    print_count(self, "unsent", workers_sum(self, offsetof(counts, unsent)));
    print_clients(self);
    print_latencies(self);
    print_rate(self, "stored_per_second", (double)of->stored / of->seconds);
    print_rate(self, "delivered_per_second", (double)of->received / of->seconds);
    if (self->opts.json)
        printf("\"seconds\": %.3f}\n", of->seconds);
    return lost + repeated + disordered + failed == 0;
}
