/* weir-chat-robot: load for weir-chatd, and what becomes of it. */
#include "robot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STALL_US WEIR_SECONDS(60) /* without a user that logs in */
#define REST_US  WEIR_SECONDS(20) /* for what is on its way at the end */

/** A descriptor for each user, and some. @return false: it is not allowed; says what to do */
static bool raise_limit(const options *opts)
{
    struct rlimit is;
    rlim_t wanted = (rlim_t)opts->users + 16 * (rlim_t)opts->loops + 64;
    if (getrlimit(RLIMIT_NOFILE, &is) || is.rlim_cur >= wanted)
        return true;
    if (is.rlim_max >= wanted) {
        is.rlim_cur = is.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &is) == 0)
            return true;
    }
    fprintf(stderr,
            "weir-chat-robot: %u users need %llu descriptors and %llu are allowed: raise the hard "
            "limit (ulimit -Hn %llu as root, or LimitNOFILE= of the service), or start several "
            "robots with fewer users and different --prefix\n",
            opts->users, (unsigned long long)wanted, (unsigned long long)is.rlim_max,
            (unsigned long long)wanted);
    return false;
}

/** Until a counter has reached `wanted`. @return false: broken, or nothing has moved for so long */
static bool wait_for(robot *self, size_t counter, unsigned long wanted, const char *what)
{
    unsigned long last = 0;
    int64_t moved_us = robot_now_us(self);
    for (;;) {
        unsigned long now = workers_sum(self, counter);
        if (atomic_load(&self->broken))
            return false;
        if (now >= wanted)
            return true;
        if (now != last)
            moved_us = robot_now_us(self);
        if (robot_now_us(self) - moved_us > STALL_US) {
            fprintf(stderr, "weir-chat-robot: %s: %lu of %lu, and no more for a minute\n", what,
                    now, wanted);
            return false;
        }
        last = now;
        usleep(2000);
    }
}

static bool log_in(robot *self)
{
    if (!wait_for(self, offsetof(counts, ready), self->opts.users, "log-ins"))
        return false;
    fprintf(stderr, "%u users online after %.2f s\n", self->opts.users,
            (double)robot_now_us(self) / 1e6);
    if (self->opts.direct > 0) {
        workers_greet(self);
        if (!wait_for(self, offsetof(counts, greeted), self->group_count, "first messages"))
            return false;
    }
    sleep(self->opts.settle);
    return true;
}

/** Sends for the time that was asked for, and counts what comes within it. */
static period send_for_a_while(robot *self)
{
    unsigned long stored = workers_sum(self, offsetof(counts, stored));
    unsigned long received = workers_sum(self, offsetof(counts, received));
    int64_t begin_us = robot_now_us(self);
    fprintf(stderr, "sending %u/s\n", self->rate);
    workers_send(self);
    for (unsigned i = 0; i < self->opts.seconds * 10 && !atomic_load(&self->broken); i++)
        usleep(100000);
    period is = {.rate = self->rate,
                 .stored = workers_sum(self, offsetof(counts, stored)) - stored,
                 .received = workers_sum(self, offsetof(counts, received)) - received,
                 .seconds = (double)(robot_now_us(self) - begin_us) / 1e6};
    fputs("sent\n", stderr);
    workers_stop_sending(self);
    return is;
}

static unsigned long count_sent(const robot *self)
{
    unsigned long sent = 0;
    for (size_t i = 0; i < self->membership_count; i++)
        sent += atomic_load(&self->memberships[i].sent);
    return sent;
}

/** Until everything that was sent is answered and everybody has it. */
static void wait_for_the_rest(robot *self)
{
    int64_t end_us = robot_now_us(self) + REST_US;
    unsigned long answered = count_sent(self) - workers_sum(self, offsetof(counts, unsent));
    while (robot_now_us(self) < end_us && !atomic_load(&self->broken)) {
        if (workers_sum(self, offsetof(counts, stored)) >= answered && report_lost(self) == 0)
            break;
        usleep(10000);
    }
}

/** A run at each rate. @return whether all went well */
static bool run_rates(robot *self)
{
    bool good = true;
    for (unsigned i = 0; i < self->opts.rate_count && !atomic_load(&self->broken); i++) {
        self->rate = self->opts.rates[i];
        period of = send_for_a_while(self);
        wait_for_the_rest(self);
        workers_collect(self);
        good &= report_run(self, &of);
        fflush(stdout);
    }
    return good && !atomic_load(&self->broken);
}

static int run(robot *self)
{
    bool good = false;
    weir_err err = plan_make(self) ? workers_start(self) : WEIR_ENOMEM;
    if (err)
        robot_broken(self, "no robot", weir_err_text(err));
    else if (log_in(self))
        good = self->opts.fan_out > 0 ? fan_out_run(self) : run_rates(self);
    if (!err)
        workers_end(self);
    plan_free(self);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    static robot self;
    uint64_t random = (uint64_t)weir_wall_now().us ^ (uint64_t)getpid() << 32;
    options_read(&self.opts, argc, argv);
    if (!raise_limit(&self.opts))
        return 1;
    self.run = (uint32_t)weir_random_mix(random);
    self.start = weir_time_now();
    return run(&self);
}
