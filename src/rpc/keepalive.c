#include "keepalive.h"

#include "link.h"

/* What a client without calls may do at most, unless it is permitted more: as in gRPC's servers. */
#define MIN_PING_WITHOUT_CALLS_US WEIR_SECONDS(2 * 3600)

static void on_time(weir_timer *timer, void *user);

static void wait_us(weir__link *link, int64_t us)
{
    weir_loop_after(weir_conn_loop(link->conn), &link->alive.timer, us, on_time, link);
}

static void ask(weir__link *link, weir_time now)
{
    link->alive.asked = now;
    link->socket.keepalives_sent++;
    weir_grpc_ping(link->grpc);
    weir__link_wake(link);
    wait_us(link, link->alive.opts->timeout_us);
}

/** Time without a byte has passed, or so it seemed when the timer was set. */
static void on_time(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__link *link = user;
    weir__keepalive *alive = &link->alive;
    weir_time now = weir_loop_now(weir_conn_loop(link->conn));
    int64_t left_us = alive->opts->time_us - weir_time_diff(now, alive->heard);
    bool unanswered = alive->asked.us && weir_time_before(alive->heard, alive->asked);
    alive->asked = (weir_time){0};
    if (unanswered)
        weir__link_abort(link, WEIR_ETIMEDOUT, "keepalive watchdog timeout");
    else if (left_us > 0)
        wait_us(link, left_us);
    else if (alive->opts->without_calls || weir_grpc_calls(link->grpc) > 0)
        ask(link, now);
    else
        wait_us(link, alive->opts->time_us);
}

void weir__keepalive_start(weir__link *link, const weir__keepalive_opts *opts)
{
    link->alive.opts = opts;
    link->alive.heard = weir_loop_now(weir_conn_loop(link->conn));
    if (opts->time_us > 0)
        wait_us(link, opts->time_us);
}

void weir__keepalive_answered(weir__link *link)
{
    if (link->alive.asked.us)
        wait_us(link, link->alive.opts->time_us);
    link->alive.asked = (weir_time){0};
}

void weir__keepalive_stop(weir__link *link)
{
    weir_loop_cancel(weir_conn_loop(link->conn), &link->alive.timer);
}

/** Whether it came sooner after the one before it than it may. A PING after we have sent something
 * is always fine: peers measure the bandwidth so. */
static bool is_early(weir__link *link, weir_time now)
{
    weir__keepalive *alive = &link->alive;
    bool idle = weir_grpc_calls(link->grpc) == 0 && !alive->opts->pings_without_calls;
    int64_t least_us = alive->opts->min_ping_us;
    if (idle && least_us < MIN_PING_WITHOUT_CALLS_US)
        least_us = MIN_PING_WITHOUT_CALLS_US;
    if (weir_grpc_take_sent(link->grpc)) {
        alive->strikes = 0;
        alive->pinged = (weir_time){0};
    }
    bool early = alive->pinged.us && weir_time_diff(now, alive->pinged) < least_us;
    alive->pinged = now;
    return early;
}

void weir__keepalive_pinged(weir__link *link)
{
    const weir__keepalive_opts *opts = link->alive.opts;
    if (!opts || opts->min_ping_us <= 0 || link->ending)
        return;
    weir_time now = weir_loop_now(weir_conn_loop(link->conn));
    if (!is_early(link, now) || ++link->alive.strikes <= opts->strikes)
        return;
    weir_grpc_goaway(link->grpc, WEIR_H2_ENHANCE_YOUR_CALM, WEIR_STR("too_many_pings"));
    weir__link_close(link);
}
