/* A channel's making and ending; channel_balance.c and channel_wait.c have what is in between. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "channel_impl.h"

enum {
    DEFAULT_HIGH_WATER = 64 << 10,
    DEFAULT_QUEUED = 10000
};

#define WEIR_AGENT                   "weir/0.1.0"
#define DEFAULT_CONNECT_US           WEIR_SECONDS(20)
#define DEFAULT_IDLE_US              WEIR_SECONDS(30 * 60)
#define DEFAULT_KEEPALIVE_TIMEOUT_US WEIR_SECONDS(20)
#define DEFAULT_KEEPALIVE_FLOOR_US   WEIR_SECONDS(10)

/* Making. */

static int64_t or_default(int64_t value_us, int64_t default_us)
{
    return value_us ? value_us : default_us;
}

static void set_keepalive(weir_channel *channel)
{
    const weir_channel_opts *opts = &channel->opts;
    int64_t floor_us = or_default(opts->keepalive_floor_us, DEFAULT_KEEPALIVE_FLOOR_US);
    int64_t time_us = opts->keepalive_us;
    channel->keepalive = (weir__keepalive_opts){
        .time_us = time_us <= 0         ? 0
                   : time_us < floor_us ? floor_us
                                        : time_us,
        .timeout_us = or_default(opts->keepalive_timeout_us, DEFAULT_KEEPALIVE_TIMEOUT_US),
        .without_calls = opts->keepalive_permit_without_calls,
    };
}

static void set_grpc(weir_channel *channel)
{
    const weir_channel_opts *opts = &channel->opts;
    channel->grpc = (weir_grpc_opts){
        .h2 = {.stream_window = opts->stream_window, .connection_window = opts->connection_window},
        .max_receive_bytes = opts->max_receive_bytes,
        .max_send_bytes = opts->max_send_bytes,
        .send_high_water = opts->send_high_water ? opts->send_high_water : DEFAULT_HIGH_WATER,
        .call_bytes = opts->call_bytes,
    };
}

static void set_defaults(weir_channel *channel, const weir_channel_opts *opts)
{
    if (opts)
        channel->opts = *opts;
    if (!channel->opts.max_queued)
        channel->opts.max_queued = DEFAULT_QUEUED;
    channel->opts.connect_us = or_default(channel->opts.connect_us, DEFAULT_CONNECT_US);
    channel->opts.idle_us = or_default(channel->opts.idle_us, DEFAULT_IDLE_US);
    set_grpc(channel);
    set_keepalive(channel);
    weir_list_init(&channel->leaving);
    weir_list_init(&channel->waiting);
    weir_list_init(&channel->held);
    weir_list_init(&channel->running);
    weir_tls_ref(channel->opts.tls);
    weir__channel_state_init(channel);
    weir__entity_init(&channel->entity, WEIR_INSPECT_CHANNEL);
    for (size_t i = 0; i < channel->opts.interceptor_count; i++) {
        const weir_interceptor_use *use = &channel->opts.interceptors[i];
        if (weir__chain_add(&channel->chain, use->interceptor, use->user))
            break;
    }
}

static bool copy_text(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

/** The texts that every call carries, and those of the options. @return false: out of memory */
static bool set_texts(weir_channel *channel, const char *target)
{
    const char *agent = channel->opts.user_agent;
    size_t size = (agent ? strlen(agent) + 1 : 0) + sizeof WEIR_AGENT;
    channel->user_agent = malloc(size);
    if (!channel->user_agent || !copy_text(&channel->name, target) ||
        !copy_text(&channel->authority, channel->opts.authority) ||
        !copy_text(&channel->tls_name, channel->opts.tls_name))
        return false;
    snprintf(channel->user_agent, size, "%s%s" WEIR_AGENT, agent ? agent : "", agent ? " " : "");
    return true;
}

static void seed(weir_channel *channel)
{
    if (getrandom(&channel->random, sizeof channel->random, GRND_NONBLOCK) !=
        (ssize_t)sizeof channel->random)
        channel->random = (uint64_t)weir_time_now().us ^ (uint64_t)(uintptr_t)channel;
    channel->random |= 1; /* the state of xorshift is never 0 */
    channel->client = weir__channel_draw(channel);
}

/** xorshift64*. */
uint64_t weir__channel_draw(weir_channel *channel)
{
    uint64_t x = channel->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    channel->random = x;
    return x * 0x2545f4914f6cdd1du;
}

static weir_err open_loop(weir_channel *channel)
{
    channel->loop = channel->opts.loop;
    if (!channel->loop) {
        weir_err err =
            weir_loop_thread_start(&channel->thread, &(weir_loop_opts){.name = "weir-channel"});
        if (err)
            return err;
        channel->loop = weir_loop_thread_loop(channel->thread);
    }
    return weir__channel_open(channel);
}

static void free_channel(weir_channel *channel)
{
    weir__entity_hide(&channel->entity);
    weir__channel_backends_fini(channel);
    weir__channel_state_fini(channel);
    free(channel->name);
    free(channel->authority);
    free(channel->user_agent);
    free(channel->tls_name);
    weir_tls_unref(channel->opts.tls);
    free(channel);
}

/** To those who inspect the process. */
static void show(weir_channel *channel, const char *target)
{
    channel->loop_number = weir_loop_number(channel->loop);
    weir__entity_log(&channel->entity, WEIR_INSPECT_INFO,
                     channel->sub_count > 0 ? channel->subs[0]->entity.id : 0, "created%s",
                     channel->sub_count > 0 ? ", with a subchannel" : "");
    weir__entity_show(&channel->entity, target);
}

weir_channel *weir_channel_new(const char *target, const weir_channel_opts *opts)
{
    weir_channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return NULL;
    set_defaults(channel, opts);
    seed(channel);
    weir_err err = set_texts(channel, target) ? WEIR_OK : WEIR_ENOMEM;
    if (!err)
        channel->target_err =
            weir__target_read(&channel->target, channel->name, channel->opts.resolvers,
                              channel->opts.resolver_count, &channel->why);
    if (err || open_loop(channel)) {
        weir_loop_thread_stop(channel->thread);
        free_channel(channel);
        return NULL;
    }
    show(channel, target);
    return channel;
}

weir_loop *weir_channel_loop(const weir_channel *channel)
{
    return channel->loop;
}

bool weir__channel_would_deadlock(const weir_channel *channel)
{
    return weir_loop_in_thread(channel->loop);
}

/* Ending. */

static void end_list(weir_list *calls)
{
    while (!weir_list_empty(calls))
        weir__client_call_end(WEIR_CONTAINER_OF(calls->next, weir__client_call, node),
                              WEIR_STATUS_CANCELLED, "the channel is closed");
}

void weir__channel_check_closed(weir_channel *channel)
{
    if (!weir_list_empty(&channel->leaving) || atomic_load(&channel->joining) > 0)
        return;
    if (channel->thread)
        weir_latch_down(&channel->closed); /* the last touch: it is freed by who waits */
    else
        free_channel(channel);
}

/** Ends what runs; the connections follow, and the last one ends the channel. */
static void on_close(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir_channel *channel = WEIR_CONTAINER_OF(task, weir_channel, close);
    channel->closing = true;
    end_list(&channel->waiting);
    end_list(&channel->held);
    weir_list_each (node, next, &channel->running)
        weir_call_cancel(&WEIR_CONTAINER_OF(node, weir__client_call, node)->call);
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_SHUTDOWN);
    weir__channel_drop_backends(channel);
    weir__channel_check_closed(channel);
}

void weir_channel_free(weir_channel *channel)
{
    if (!channel)
        return;
    weir_loop_thread *thread = channel->thread;
    if (thread)
        weir_latch_init(&channel->closed, 1);
    weir_loop_post(channel->loop, &channel->close, on_close);
    if (!thread)
        return;
    weir_latch_wait(&channel->closed);
    weir_latch_fini(&channel->closed);
    weir_loop_thread_stop(thread);
    free_channel(channel);
}
