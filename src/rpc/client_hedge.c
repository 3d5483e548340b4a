/* Hedging: several attempts at once; the first answer wins, the others are given up (gRFC A6).
 *
 * The call's own attempt is the first. The others have a weir_call of their own, which is only
 * there to receive the engine's events; the one that is answered becomes the call's own. */
#include "client_tries.h"

/* When no backend takes another attempt just now. */
#define NO_ROOM_US 10000

static weir__hedge *hedge_of(weir_call *call)
{
    return WEIR_CONTAINER_OF(call, weir__hedge, call);
}

bool weir__hedges_run(const weir__tries *tries)
{
    for (unsigned i = 0; i < tries->hedge_count; i++)
        if (tries->hedges[i]->call.wire)
            return true;
    return false;
}

static void leave(weir__hedge *hedge, weir_status_code code)
{
    weir__sub *sub = hedge->sub;
    hedge->call.wire = NULL;
    hedge->call.link = NULL;
    hedge->sub = NULL;
    weir__channel_sub_done(hedge->cc->channel, sub, code,
                           weir_time_diff(weir_loop_now(hedge->call.loop), hedge->picked));
}

/** Nobody hears of its end. */
static void give_up(weir_grpc_call *wire, weir__link *link)
{
    weir_grpc_call_set_owner(wire, NULL);
    weir_grpc_cancel(wire);
    weir__link_wake(link);
}

void weir__hedges_stop(weir__client_call *cc)
{
    weir__tries *tries = cc->tries;
    for (unsigned i = 0; i < tries->hedge_count; i++) {
        weir__hedge *hedge = tries->hedges[i];
        if (!hedge->call.wire)
            continue;
        give_up(hedge->call.wire, hedge->call.link);
        leave(hedge, WEIR_STATUS_CANCELLED);
    }
}

/* Making one. */

static const weir__call_ops hedge_ops;

static weir__hedge *new_hedge(weir__client_call *cc)
{
    weir__hedge *hedge = weir_arena_alloc(&cc->arena, sizeof *hedge);
    if (!hedge)
        return NULL;
    memset(hedge, 0, sizeof *hedge);
    hedge->cc = cc;
    hedge->call.ops = &hedge_ops;
    hedge->call.loop = cc->call.loop;
    hedge->call.method = cc->call.method;
    hedge->call.arena = &cc->arena;
    return hedge;
}

static weir_err open_hedge(weir__client_call *cc, weir__sub *sub)
{
    weir__tries *tries = cc->tries;
    weir__hedge *hedge = new_hedge(cc);
    if (!hedge)
        return WEIR_ENOMEM;
    weir_err err = sub->link->grpc
                       ? weir__client_call_open(cc, sub, &hedge->call, &hedge->call.wire)
                       : WEIR_ECLOSED;
    if (err) {
        hedge->call.wire = NULL;
        return err;
    }
    hedge->sub = sub;
    hedge->picked = weir_loop_now(cc->call.loop);
    hedge->call.link = sub->link;
    sub->backend.outstanding++;
    tries->been[tries->made++] = sub->backend.hash;
    tries->hedges[tries->hedge_count++] = hedge;
    weir__link_wake(sub->link);
    return WEIR_OK;
}

static bool may_hedge(const weir__client_call *cc)
{
    const weir__tries *tries = cc->tries;
    return tries->made < tries->hedging.max_attempts && tries->made < WEIR_ATTEMPTS_MAX &&
           cc->request.len > 0 && !cc->answered && !cc->decided && !cc->cancelled &&
           !cc->channel->closing && weir__tries_allowed(cc->channel);
}

/** One more attempt, at a backend where none has been if possible. @return false: not now */
static bool make_hedge(weir__client_call *cc)
{
    weir_backend *avoid[WEIR_ATTEMPTS_MAX];
    weir_pick pick = {.now = weir_loop_now(cc->call.loop), .hash = weir__client_call_hash(cc)};
    weir__sub *sub;
    pick.avoid = avoid;
    pick.avoid_count = weir__tries_avoid(cc, avoid);
    if (weir__channel_pick(cc->channel, &pick, &sub) != WEIR__PICK_OK)
        return false;
    return open_hedge(cc, sub) == WEIR_OK;
}

static void on_time(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__tries *tries = WEIR_CONTAINER_OF(timer, weir__tries, timer);
    weir__client_call *cc = tries->cc;
    if (!may_hedge(cc)) {
        if (tries->pending && !weir__hedges_run(tries))
            weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, "no further attempt is allowed");
        return;
    }
    bool made = make_hedge(cc);
    tries->pending = tries->pending && !made;
    int64_t next_us = made ? tries->hedging.delay_us : NO_ROOM_US;
    if (tries->pending || may_hedge(cc))
        weir_loop_after(cc->call.loop, timer, next_us, on_time, NULL);
}

void weir__hedges_begin(weir__client_call *cc)
{
    weir__tries *tries = cc->tries;
    if (tries->made == 1 && may_hedge(cc))
        weir_loop_after(cc->call.loop, &tries->timer, tries->hedging.delay_us, on_time, NULL);
}

/* How they end. */

/** After an attempt has ended without answer. @return true: the call goes on */
static bool go_on(weir__client_call *cc, const weir_status *status, int64_t pushback_us)
{
    weir__tries *tries = cc->tries;
    bool fatal = !(tries->hedging.codes >> status->code & 1) ||
                 status->code == WEIR_STATUS_CANCELLED || status->code == WEIR_STATUS_OK ||
                 !weir_time_before(weir_loop_now(cc->call.loop), cc->call.deadline);
    weir__tries_account(cc->channel, tries->hedging.codes, status, pushback_us);
    if (fatal || cc->decided || cc->cancelled || cc->channel->closing)
        return false;
    bool others = cc->call.wire || weir__hedges_run(tries);
    if (pushback_us == WEIR__DO_NOT_RETRY || !may_hedge(cc)) {
        weir_loop_cancel(cc->call.loop, &tries->timer);
        return others;
    }
    tries->pending = !others;
    weir_loop_after(cc->call.loop, &tries->timer, pushback_us > 0 ? pushback_us : 0, on_time, NULL);
    return true;
}

bool weir__hedges_go_on(weir__client_call *cc, const weir_status *status)
{
    weir_grpc_call *wire = cc->call.wire;
    bool ended = cc->answered;
    int64_t pushback_us = weir__tries_pushback(wire);
    if (ended) {
        weir__tries_account(cc->channel, cc->tries->hedging.codes, status, pushback_us);
        return false;
    }
    cc->call.wire = NULL;
    if (go_on(cc, status, pushback_us)) {
        cc->call.link = NULL;
        weir__client_call_arm(cc);
        return true;
    }
    cc->call.wire = wire;
    return false;
}

/** The hedge's attempt becomes the call's own, the others are given up. */
static void adopt(weir__hedge *hedge)
{
    weir__client_call *cc = hedge->cc;
    if (cc->call.wire) {
        weir_grpc_call *wire = cc->call.wire;
        give_up(wire, cc->call.link);
        weir__client_call_leave(cc, &(weir_status){.code = WEIR_STATUS_CANCELLED});
    }
    weir_loop_cancel(cc->call.loop, &cc->expiry);
    cc->tries->pending = false;
    cc->call.wire = hedge->call.wire;
    cc->call.link = hedge->call.link;
    cc->sub = hedge->sub;
    cc->picked = hedge->picked;
    hedge->call.wire = NULL;
    hedge->sub = NULL;
    weir_grpc_call_set_owner(cc->call.wire, &cc->call);
}

static void hedge_headers(weir_call *call)
{
    weir__client_call *cc = hedge_of(call)->cc;
    adopt(hedge_of(call));
    cc->call.ops->headers(&cc->call);
}

static void hedge_message(weir_call *call, weir_str bytes)
{
    weir__client_call *cc = hedge_of(call)->cc;
    adopt(hedge_of(call));
    cc->call.ops->message(&cc->call, bytes);
}

static void hedge_close(weir_call *call, const weir_status *status)
{
    weir__hedge *hedge = hedge_of(call);
    weir__client_call *cc = hedge->cc;
    weir_grpc_call *wire = call->wire;
    weir__link *link = call->link;
    int64_t pushback_us = weir__tries_pushback(wire);
    leave(hedge, status->code);
    cc->tries->ended++;
    if (go_on(cc, status, pushback_us))
        return;
    /* The call ends as this attempt did. */
    if (cc->call.wire) {
        give_up(cc->call.wire, cc->call.link);
        weir__client_call_leave(cc, &(weir_status){.code = WEIR_STATUS_CANCELLED});
    }
    cc->call.wire = wire;
    cc->call.link = link;
    weir__client_call_finish(cc, status);
}

static void hedge_nothing(weir_call *call WEIR_UNUSED) {}

static const weir__call_ops hedge_ops = {
    .headers = hedge_headers,
    .message = hedge_message,
    .half_close = hedge_nothing,
    .writable = hedge_nothing,
    .close = hedge_close,
};
