/* Retries: one attempt after the other, with backoff and a budget (gRFC A6). */
#include "client_tries.h"

#include <stdlib.h>

enum {
    KEPT_BYTES = 256 << 10 /* of a stream; one that sends more is not tried again */
};

/* What the rule says. */

static bool ends_too_large(weir__client_call *cc, size_t limit)
{
    if (limit == 0 || cc->request.len <= WEIR_GRPC_PREFIX + limit)
        return false;
    weir__client_call_end(
        cc, WEIR_STATUS_RESOURCE_EXHAUSTED,
        "the request is larger than maxRequestMessageBytes of the service config");
    return true;
}

static void allow_more(weir__client_call *cc, const weir_method_config *rule)
{
    weir__tries *tries = weir_arena_alloc(&cc->arena, sizeof *tries);
    if (!tries)
        return; /* one attempt, then */
    memset(tries, 0, sizeof *tries);
    tries->cc = cc;
    tries->retry = rule->retry;
    tries->hedging = rule->hedging;
    cc->tries = tries;
    cc->call.keeps = cc->request.len == 0 && tries->retry.max_attempts > 1;
}

bool weir__tries_begin(weir__client_call *cc)
{
    const weir_service_config *config = cc->channel->config;
    const weir_method_config *rule =
        config ? weir_service_config_method(config, cc->call.method->path) : NULL;
    if (!rule)
        return true;
    if (rule->timeout_us > 0) {
        weir_time until = weir_time_add(cc->began, rule->timeout_us);
        if (weir_time_before(until, cc->call.deadline))
            cc->call.deadline = until;
    }
    if (rule->wait_for_ready_set && rule->wait_for_ready)
        cc->wait_for_ready = true;
    cc->max_response = rule->max_response_bytes;
    if (rule->retry.max_attempts > 1 || rule->hedging.max_attempts > 1)
        allow_more(cc, rule);
    return !ends_too_large(cc, rule->max_request_bytes);
}

/* The budget: gRFC A6, "Throttling Retry Attempts and Hedged RPCs". */

void weir__tries_account(weir_channel *channel, uint32_t codes, const weir_status *status,
                         int64_t pushback_us)
{
    weir_retry_throttling limit = weir_service_config_throttling(channel->config);
    if (limit.max_tokens <= 0)
        return;
    if (status->code == WEIR_STATUS_OK)
        channel->retry_tokens += limit.token_ratio;
    else if ((codes >> status->code & 1) || pushback_us == WEIR__DO_NOT_RETRY)
        channel->retry_tokens -= 1;
    if (channel->retry_tokens > limit.max_tokens)
        channel->retry_tokens = limit.max_tokens;
    if (channel->retry_tokens < 0)
        channel->retry_tokens = 0;
}

bool weir__tries_allowed(const weir_channel *channel)
{
    weir_retry_throttling limit = weir_service_config_throttling(channel->config);
    return limit.max_tokens <= 0 || channel->retry_tokens > limit.max_tokens / 2;
}

int64_t weir__tries_pushback(weir_grpc_call *wire)
{
    const weir_str *value =
        weir_metadata_get(weir_grpc_call_trailers(wire), WEIR_STR("grpc-retry-pushback-ms"));
    int64_t ms = 0;
    if (!value)
        return WEIR__NO_PUSHBACK;
    if (value->len == 0 || value->len > 9)
        return WEIR__DO_NOT_RETRY;
    for (size_t i = 0; i < value->len; i++) {
        if (value->ptr[i] < '0' || value->ptr[i] > '9')
            return WEIR__DO_NOT_RETRY; /* negative, or not a number */
        ms = ms * 10 + (value->ptr[i] - '0');
    }
    return ms * 1000;
}

bool weir__tries_may_repeat(const weir__client_call *cc, weir_grpc_call *wire)
{
    bool all_is_there = cc->request.len > 0 || cc->call.keeps || !weir_grpc_call_has_sent(wire);
    return !cc->answered && !cc->decided && !cc->cancelled && !cc->channel->closing &&
           all_is_there && weir_time_before(weir_loop_now(cc->call.loop), cc->call.deadline);
}

/* Messages of streams. */

static void drop_kept(weir__tries *tries)
{
    for (weir__kept *kept = tries->kept_first; kept; kept = kept->next)
        weir_payload_unref(kept->payload);
    tries->kept_first = tries->kept_last = NULL;
}

void weir__tries_keep(weir__client_call *cc, weir_payload *payload)
{
    weir__tries *tries = cc->tries;
    weir__kept *kept = weir_arena_alloc(&cc->arena, sizeof *kept);
    tries->kept_bytes += weir_payload_bytes(payload).len;
    if (!kept || tries->kept_bytes > KEPT_BYTES) {
        cc->call.keeps = false;
        drop_kept(tries);
        return;
    }
    *kept = (weir__kept){NULL, weir_payload_ref(payload)};
    if (tries->kept_first)
        tries->kept_last->next = kept;
    else
        tries->kept_first = kept;
    tries->kept_last = kept;
}

weir_err weir__tries_send_kept(weir__client_call *cc)
{
    weir_err err = WEIR_OK;
    if (!cc->tries)
        return WEIR_OK;
    for (weir__kept *kept = cc->tries->kept_first; kept && !err; kept = kept->next)
        err = weir__call_send_again(&cc->call, kept->payload);
    return err;
}

/* Trying again. */

static void on_time(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__tries *tries = WEIR_CONTAINER_OF(timer, weir__tries, timer);
    weir__client_call *cc = tries->cc;
    tries->pending = false;
    weir_list_remove(&cc->node);
    weir__channel_place(cc->channel, cc);
}

static int64_t backoff_us(weir__tries *tries)
{
    const weir_retry_policy *policy = &tries->retry;
    double delay = (double)policy->initial_backoff_us;
    for (unsigned i = 0; i < tries->backoffs; i++)
        delay *= policy->backoff_multiplier;
    if (delay > (double)policy->max_backoff_us)
        delay = (double)policy->max_backoff_us;
    tries->backoffs++;
    /* +-20 % */
    double jitter = (double)(weir__channel_draw(tries->cc->channel) >> 11) / (double)(1ull << 53);
    return (int64_t)(delay * (0.8 + 0.4 * jitter));
}

static bool retry(weir__client_call *cc, const weir_status *status)
{
    weir__tries *tries = cc->tries;
    int64_t pushback_us = weir__tries_pushback(cc->call.wire);
    weir__tries_account(cc->channel, tries->retry.codes, status, pushback_us);
    if (!(tries->retry.codes >> status->code & 1) || status->code == WEIR_STATUS_CANCELLED ||
        pushback_us == WEIR__DO_NOT_RETRY || tries->made >= tries->retry.max_attempts ||
        !weir__tries_may_repeat(cc, cc->call.wire) || !weir__tries_allowed(cc->channel))
        return false;
    if (pushback_us >= 0)
        tries->backoffs = 0;
    int64_t delay_us = pushback_us >= 0 ? pushback_us : backoff_us(tries);
    weir_time next = weir_time_add(weir_loop_now(cc->call.loop), delay_us);
    if (!weir_time_before(next, cc->call.deadline))
        return false; /* it would come too late: this end says more */
    cc->call.wire = NULL;
    cc->call.link = NULL;
    tries->pending = true;
    weir__client_call_arm(cc);
    weir_loop_at(cc->call.loop, &tries->timer, next, on_time, NULL);
    return true;
}

bool weir__tries_go_on(weir__client_call *cc, const weir_status *status)
{
    weir__tries *tries = cc->tries;
    if (!tries)
        return false;
    tries->ended++;
    return tries->hedging.max_attempts > 1 ? weir__hedges_go_on(cc, status) : retry(cc, status);
}

void weir__tries_started(weir__client_call *cc, const weir__sub *sub)
{
    weir__tries *tries = cc->tries;
    if (!tries)
        return;
    if (tries->made < WEIR_ATTEMPTS_MAX)
        tries->been[tries->made] = sub->backend.hash;
    tries->made++;
    if (tries->hedging.max_attempts > 1)
        weir__hedges_begin(cc);
}

void weir__tries_answered(weir__client_call *cc)
{
    weir__tries *tries = cc->tries;
    if (!tries)
        return;
    if (tries->hedge_count > 0)
        weir__hedges_stop(cc);
    weir_loop_cancel(cc->call.loop, &tries->timer);
    cc->call.keeps = false;
    drop_kept(tries);
}

bool weir__tries_pending(const weir__client_call *cc)
{
    return cc->tries && (cc->tries->pending || weir__hedges_run(cc->tries));
}

void weir__tries_stop(weir__client_call *cc)
{
    if (!cc->tries)
        return;
    weir_loop_cancel(cc->call.loop, &cc->tries->timer);
    cc->tries->pending = false;
    cc->call.keeps = false;
    drop_kept(cc->tries);
    weir__hedges_stop(cc);
}

unsigned weir__tries_count(const weir__client_call *cc)
{
    return cc->tries ? cc->tries->made : 1;
}

size_t weir__tries_avoid(const weir__client_call *cc, weir_backend *out[WEIR_ATTEMPTS_MAX])
{
    const weir_channel *channel = cc->channel;
    const weir__tries *tries = cc->tries;
    size_t count = 0;
    unsigned been =
        !tries || tries->made < WEIR_ATTEMPTS_MAX ? (tries ? tries->made : 0) : WEIR_ATTEMPTS_MAX;
    for (unsigned i = 0; i < been; i++)
        for (size_t j = 0; j < channel->sub_count && count < WEIR_ATTEMPTS_MAX; j++)
            if (channel->subs[j]->backend.hash == tries->been[i])
                out[count++] = &channel->subs[j]->backend;
    return count;
}
