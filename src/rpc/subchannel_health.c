/* Client-side health checking (gRFC A17): a Watch of grpc.health.v1.Health on the backend's own
 * connection says whether it gets calls. A server without that service is taken to be well. */
#include <stdlib.h>

#include "channel_impl.h"

/* After a watch that has ended, as of connections. */
#define FIRST_RETRY_US WEIR_SECONDS(1)
#define MAX_RETRY_US   WEIR_SECONDS(120)

enum {
    SERVING = 1 /* HealthCheckResponse.ServingStatus */
};

struct weir__health {
    weir_call call; /* receives the engine's events */
    weir__sub *sub;
    weir_timer again;
    int64_t retry_us;
    bool good;
    bool unknown; /* the server has no such service */
    uint8_t request[WEIR_GRPC_PREFIX + 2 + 127];
    size_t request_len;
};

static weir__health *health_of(weir_call *call)
{
    return WEIR_CONTAINER_OF(call, weir__health, call);
}

bool weir__health_is_good(const weir__sub *sub)
{
    return !sub->health || sub->health->good || sub->health->unknown;
}

static void set_good(weir__health *health, bool good)
{
    if (health->good == good)
        return;
    health->good = good;
    weir__entity_log(&health->sub->entity, good ? WEIR_INSPECT_INFO : WEIR_INSPECT_WARNING, 0,
                     good ? "healthy" : "not healthy");
    weir__channel_sub_changed(health->sub->channel, health->sub);
}

/** HealthCheckResponse: the number of its first field; others are skipped. */
static unsigned read_status(weir_str bytes)
{
    if (bytes.len >= 2 && bytes.ptr[0] == 0x08 && !(bytes.ptr[1] & 0x80))
        return (unsigned char)bytes.ptr[1];
    return 0;
}

static void health_message(weir_call *call, weir_str bytes)
{
    weir__health *health = health_of(call);
    health->retry_us = FIRST_RETRY_US;
    set_good(health, read_status(bytes) == SERVING);
}

static void watch(weir__health *health);

static void on_again(weir_timer *timer, void *user WEIR_UNUSED)
{
    watch(WEIR_CONTAINER_OF(timer, weir__health, again));
}

static void try_later(weir__health *health)
{
    weir_loop_after(health->call.loop, &health->again, health->retry_us, on_again, NULL);
    health->retry_us *= 2;
    if (health->retry_us > MAX_RETRY_US)
        health->retry_us = MAX_RETRY_US;
}

static void health_close(weir_call *call, const weir_status *status)
{
    weir__health *health = health_of(call);
    call->wire = NULL;
    if (status->code == WEIR_STATUS_UNIMPLEMENTED) {
        health->unknown = true;
        set_good(health, true);
        return;
    }
    set_good(health, false);
    try_later(health);
}

static void health_nothing(weir_call *call WEIR_UNUSED) {}

static const weir__call_ops health_ops = {
    .headers = health_nothing,
    .message = health_message,
    .half_close = health_nothing,
    .writable = health_nothing,
    .close = health_close,
};

static void watch(weir__health *health)
{
    const weir__sub *sub = health->sub;
    weir_grpc_start start = {
        .path = WEIR_STR("/grpc.health.v1.Health/Watch"),
        .authority = weir_str_from(sub->authority),
        .user_agent = weir_str_from(sub->channel->user_agent),
        .https = sub->channel->opts.tls != NULL,
        .deadline = weir_time_never(),
        .owner = &health->call,
    };
    weir__link *link = sub->link;
    if (!link || !link->grpc || weir_grpc_call_start(&health->call.wire, link->grpc, &start)) {
        health->call.wire = NULL;
        try_later(health);
        return;
    }
    health->call.link = link;
    if (weir_grpc_send_framed(health->call.wire, health->request, health->request_len, NULL, NULL))
        weir_grpc_cancel(health->call.wire);
    else
        weir_grpc_half_close(health->call.wire);
    weir__link_wake(link);
}

void weir__health_start(weir__sub *sub, const char *service)
{
    size_t len = strlen(service);
    weir__health_stop(sub);
    weir__health *health = len <= 127 ? calloc(1, sizeof *health) : NULL;
    if (!health)
        return;
    health->sub = sub;
    health->call.ops = &health_ops;
    health->call.loop = sub->channel->loop;
    health->retry_us = FIRST_RETRY_US;
    /* HealthCheckRequest { string service = 1; } */
    uint8_t *body = health->request + WEIR_GRPC_PREFIX;
    size_t size = len > 0 ? 2 + len : 0;
    body[0] = 0x0a;
    body[1] = (uint8_t)len;
    memcpy(body + 2, service, len);
    weir_grpc_prefix(health->request, false, (uint32_t)size);
    health->request_len = WEIR_GRPC_PREFIX + size;
    sub->health = health;
    watch(health);
}

void weir__health_stop(weir__sub *sub)
{
    weir__health *health = sub->health;
    if (!health)
        return;
    sub->health = NULL;
    weir_loop_cancel(sub->channel->loop, &health->again);
    if (health->call.wire) {
        weir_grpc_call_set_owner(health->call.wire, NULL);
        weir_grpc_cancel(health->call.wire);
    }
    free(health);
}
