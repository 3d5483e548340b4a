/* A call passes the gate of its rule, if it has one, and then that of the server. Where it has to
 * wait it is held, and asked again when the gate has a verdict. */
#include <stdlib.h>

#include "client_key.h"
#include "method_path.h"
#include "overload_impl.h"

enum {
    PUSHBACK_SPREAD = 5 /* +- a fifth */
};

/* A verdict is on its way: it was lost for want of memory when it has not come by then. */
#define VERDICT_US WEIR_SECONDS(1)

/** A call that waits, in its arena. */
typedef struct wait {
    weir__overload_waiter waiter;
    weir_timer patience;
    weir_call *call;
    weir_overload *overload;
    bool verdict_came; /* when patience was over; it has not arrived */
} wait;

/** What is remembered of each call. */
typedef struct ticket {
    weir__overload_gate *gates[2];
    uint8_t gate_count;
    uint8_t passed; /* so many of them */
    wait *wait;     /* before the next one; NULL: not */
    weir_time entered;
} ticket;

static const weir__overload_rule *rule_of(const weir_overload *o, weir_str path)
{
    for (size_t i = 0; i < o->rule_count; i++) {
        if (weir__path_fits(o->rules[i].path, path))
            return &o->rules[i];
    }
    return NULL;
}

static bool is_standard(weir_str path)
{
    return weir_str_starts(path, WEIR_STR("/grpc.")) &&
           (weir__path_fits("/grpc.health.v1.Health/", path) ||
            weir__path_fits("/grpc.channelz.v1.Channelz/", path) ||
            weir_str_starts(path, WEIR_STR("/grpc.reflection.")));
}

static void choose_gates(const weir_overload *o, const weir_method *method, ticket *t)
{
    weir_str path = weir_str_from(method->path);
    const weir__overload_rule *its = rule_of(o, path);
    if (its ? its->exempt : !o->opts.standard && is_standard(path))
        return;
    if (its && its->gate)
        t->gates[t->gate_count++] = its->gate;
    if (o->gate && (method->kind == WEIR_METHOD_UNARY || o->opts.streams))
        t->gates[t->gate_count++] = o->gate;
}

static uint32_t key_of(const weir_overload *o, const weir_call *call)
{
    weir_str key = WEIR_STR("");
    weir_addr peer;
    if (o->opts.key == WEIR_OVERLOAD_PER_ADDRESS) {
        peer = weir_call_peer(call);
        key = weir__client_address(&peer);
    } else if (o->opts.key == WEIR_OVERLOAD_PER_IDENTITY) {
        key = weir_call_identity(call);
    } else if (o->opts.key == WEIR_OVERLOAD_PER_METADATA) {
        const weir_str *value =
            weir_metadata_get(weir_call_metadata(call), weir_str_from(o->key_metadata));
        key = value ? *value : key;
    }
    return weir__client_hash(key);
}

/* Refusing. */

/** What the client is told about retries; -1: none. */
static void push_back(const weir_overload *o, weir_call *call, bool at_all)
{
    int64_t base_us = o->opts.pushback_us;
    if (base_us == 0)
        return;
    uint64_t hash = weir_call_id_of(call).value * UINT64_C(0x9e3779b97f4a7c15);
    int64_t spread_us = base_us / PUSHBACK_SPREAD;
    int64_t us = base_us - spread_us + (int64_t)((hash >> 40) % (2 * (uint64_t)spread_us + 1));
    weir_str ms = weir_call_printf(call, "%lld", at_all ? (long long)(us + 999) / 1000 : -1);
    if (weir_call_add_trailer(call, WEIR_STR("grpc-retry-pushback-ms"), ms))
        return; /* out of memory: the status says enough */
}

static void refuse(const weir_overload *o, weir_call *call, weir__overload_verdict verdict)
{
    bool late = verdict == WEIR__OVERLOAD_TOO_LATE;
    push_back(o, call, !late);
    weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                   late ? "overloaded: the time that is left is less than a call takes now; it was "
                          "not run. Give calls more time, or call less often"
                        : "overloaded: as many calls run and wait as may; it was not run. Try "
                          "again later, or another server");
}

/** In the call's loop. A verdict that is on its way has a little time to arrive. */
static void on_patience_over(weir_timer *timer, void *user)
{
    ticket *t = user;
    wait *w = t->wait;
    weir__overload_gate *gate = t->gates[t->passed];
    weir__overload_verdict verdict = weir__overload_gate_give_up(gate, &w->waiter);
    if (verdict != WEIR__OVERLOAD_WAITS && !w->verdict_came) {
        w->verdict_came = true;
        weir_loop_after(weir_call_loop(w->call), timer, VERDICT_US, on_patience_over, t);
        return;
    }
    if (verdict == WEIR__OVERLOAD_WAITS)
        atomic_fetch_add_explicit(&gate->refused, 1, memory_order_relaxed);
    refuse(w->overload, w->call, verdict);
}

/* Waiting. */

static void begin_wait(weir_overload *o, weir_call *call, ticket *t)
{
    weir__overload_gate *gate = t->gates[t->passed];
    wait *w = gate->queue.max > 0 ? weir_arena_zalloc(weir_call_arena(call), sizeof *w) : NULL;
    if (!w) {
        atomic_fetch_add_explicit(&gate->refused, 1, memory_order_relaxed);
        refuse(o, call, WEIR__OVERLOAD_NO_ROOM);
        return;
    }
    w->call = call;
    w->overload = o;
    w->waiter.id = weir_call_id_of(call);
    w->waiter.deadline = weir_call_deadline(call);
    t->wait = w;
    weir_loop *loop = weir_call_loop(call);
    weir_call_hold(call);
    weir_loop_after(loop, &w->patience, o->opts.queue_us, on_patience_over, t);
    weir__overload_gate_wait(gate, &w->waiter, key_of(o, call), weir_loop_now(loop));
}

/** The call was asked again. @return whether it has been let in */
static bool end_wait(weir_call *call, ticket *t)
{
    wait *w = t->wait;
    weir__overload_verdict verdict = weir__overload_gate_verdict(t->gates[t->passed], &w->waiter);
    if (verdict == WEIR__OVERLOAD_WAITS) { /* somebody else has woken it */
        weir_call_hold(call);
        return false;
    }
    weir_loop_cancel(weir_call_loop(call), &w->patience);
    t->wait = NULL;
    if (verdict == WEIR__OVERLOAD_MAY_RUN)
        t->passed++;
    else
        refuse(w->overload, call, verdict);
    return verdict == WEIR__OVERLOAD_MAY_RUN;
}

static void on_open(weir_call *call, void *state, void *user)
{
    weir_overload *o = user;
    ticket *t = state;
    if (!t->wait)
        choose_gates(o, weir_call_method(call), t);
    else if (!end_wait(call, t))
        return;
    while (t->passed < t->gate_count) {
        if (!weir__overload_gate_enter(t->gates[t->passed])) {
            begin_wait(o, call, t);
            return;
        }
        t->passed++;
    }
    bool timed = t->passed > 0 && t->gates[t->passed - 1]->timed;
    t->entered = timed ? weir_time_now() : weir_time_never();
}

/** Calls that failed quickly, or were given up, do not tell how long one takes. */
static bool tells_time(const weir_call *call, const weir_status *status)
{
    return weir_call_method(call)->kind == WEIR_METHOD_UNARY &&
           (status->code == WEIR_STATUS_OK || status->code == WEIR_STATUS_DEADLINE_EXCEEDED);
}

/** A call that is over, while its handler still works and so counts. */
typedef struct late_leave {
    weir_call_after after;
    weir__overload_gate *gates[2];
    uint8_t passed;
    weir_time entered;
} late_leave;

static void leave(weir__overload_gate *const *gates, unsigned passed, weir_time entered)
{
    weir_time now = gates[passed - 1]->timed ? weir_time_now() : weir_time_never();
    while (passed > 0)
        weir__overload_gate_leave(gates[--passed], entered, now);
}

static void on_returned(weir_call_after *after)
{
    late_leave *late = WEIR_CONTAINER_OF(after, late_leave, after);
    leave(late->gates, late->passed, late->entered);
    free(late);
}

/** @return false: no handler works any more, or there is no memory to wait for it */
static bool leave_late(weir_call *call, const ticket *t, weir_time entered)
{
    if (!weir_call_after_handler(call, NULL))
        return false;
    late_leave *late = malloc(sizeof *late);
    if (!late)
        return false;
    *late = (late_leave){{on_returned, NULL}, {t->gates[0], t->gates[1]}, t->passed, entered};
    if (weir_call_after_handler(call, &late->after))
        return true;
    free(late);
    return false;
}

static void on_closed(weir_call *call, const weir_status *status, void *state, void *user)
{
    ticket *t = state;
    (void)user;
    bool ran = t->passed == t->gate_count;
    if (t->wait) {
        weir_loop_cancel(weir_call_loop(call), &t->wait->patience);
        if (weir__overload_gate_give_up(t->gates[t->passed], &t->wait->waiter) ==
            WEIR__OVERLOAD_MAY_RUN)
            t->passed++;
    }
    if (t->passed == 0)
        return;
    weir_time entered = ran && tells_time(call, status) ? t->entered : weir_time_never();
    if (status->code == WEIR_STATUS_OK || !leave_late(call, t, entered))
        leave(t->gates, t->passed, entered);
}

const weir_interceptor weir_overload_limit = {
    .name = "overload", .state_bytes = sizeof(ticket), .open = on_open, .closed = on_closed};
