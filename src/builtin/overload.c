/* A call passes the gate of its rule, if it has one, and then that of the server. Where it has to
 * wait it is held, and asked again when the gate has a verdict. */
#include <weir/builtin/overload.h>

#include <stdlib.h>

#include "client_key.h"
#include "overload_gate.h"

enum {
    DEFAULT_MOST = 1000, /* of an adaptive limit */
    DEFAULT_LEAST = 4,
    DEFAULT_TOLERANCE = 25, /* percent */
    DEFAULT_QUEUE = 256,
    DEFAULT_LINES = 256,
    MOST_RULES = 1000,
    PUSHBACK_SPREAD = 5 /* +- a fifth */
};

#define DEFAULT_QUEUE_US WEIR_MILLISECONDS(100)
#define DEFAULT_PROBE_US WEIR_SECONDS(30)
#define WINDOW_US        WEIR_MILLISECONDS(100)
/* A verdict is on its way: it was lost for want of memory when it has not come by then. */
#define VERDICT_US WEIR_SECONDS(1)

typedef struct rule {
    char *path;
    bool exempt;
    weir__overload_gate *gate; /* NULL: none */
} rule;

struct weir_overload {
    weir_overload_opts opts;
    char *key_metadata;
    weir__overload_gate *gate; /* the server's; NULL: none */
    size_t rule_count;
    rule rules[];
};

/* Life. */

static weir_err make_gate(const weir_overload *o, uint32_t most, bool adaptive,
                          weir__overload_gate **out)
{
    const weir_overload_opts *opts = &o->opts;
    weir__overload_gate_opts gate = {
        .limit = {.adaptive = adaptive,
                  .min = opts->min_concurrent,
                  .max = most,
                  .tolerance = 1 + opts->tolerance_percent / 100.0,
                  .window_us = WINDOW_US,
                  .probe_us = opts->probe_us},
        .queue = opts->queue,
        .lines = opts->lines,
        .fifo_us = opts->queue_us,
        .wake = weir_call_proceed_post,
    };
    weir__overload_gate *made = aligned_alloc(WEIR_CACHE_LINE, sizeof *made);
    if (!made)
        return WEIR_ENOMEM;
    weir_err err = weir__overload_gate_init(made, &gate, weir_time_now());
    if (err)
        free(made);
    else
        *out = made;
    return err;
}

static void free_gate(weir__overload_gate *gate)
{
    if (!gate)
        return;
    weir__overload_gate_fini(gate);
    free(gate);
}

static weir_err check(const weir_overload_opts *opts, weir_why *why)
{
    const char *wrong = NULL;
    if (opts->max_concurrent == 0 && !opts->adaptive && opts->rule_count == 0)
        wrong = "nothing is limited: set max_concurrent, adaptive or rules";
    else if (opts->adaptive && opts->max_concurrent > 0 &&
             opts->min_concurrent > opts->max_concurrent)
        wrong = "min_concurrent is more than max_concurrent";
    else if (opts->probe_us < 0 || opts->queue_us < 0 || opts->pushback_us < 0)
        wrong = "a time is negative: probe_us, queue_us or pushback_us";
    else if ((unsigned)opts->key > WEIR_OVERLOAD_ALL)
        wrong = "there is no such key";
    else if (opts->key == WEIR_OVERLOAD_PER_METADATA && !opts->key_metadata)
        wrong = "clients are to be known by metadata, and key_metadata does not say which";
    else if (opts->rule_count > MOST_RULES)
        wrong = "there are more than 1000 rules";
    for (size_t i = 0; !wrong && i < opts->rule_count; i++) {
        if (!opts->rules[i].path || opts->rules[i].path[0] != '/')
            wrong = "a rule's path is not of the form \"/package.Service/Method\"";
    }
    return wrong ? weir_why_set(why, WEIR_EINVAL, "%s", wrong) : WEIR_OK;
}

static void set_defaults(weir_overload_opts *opts)
{
    if (opts->adaptive && !opts->max_concurrent)
        opts->max_concurrent =
            opts->min_concurrent > DEFAULT_MOST ? opts->min_concurrent : DEFAULT_MOST;
    if (!opts->min_concurrent)
        opts->min_concurrent =
            opts->max_concurrent < DEFAULT_LEAST ? opts->max_concurrent : DEFAULT_LEAST;
    if (!opts->tolerance_percent)
        opts->tolerance_percent = DEFAULT_TOLERANCE;
    if (!opts->queue)
        opts->queue = DEFAULT_QUEUE;
    if (opts->no_queue)
        opts->queue = 0;
    if (!opts->lines)
        opts->lines = opts->key == WEIR_OVERLOAD_ALL ? 1 : DEFAULT_LINES;
    if (!opts->queue_us)
        opts->queue_us = DEFAULT_QUEUE_US;
    if (!opts->probe_us)
        opts->probe_us = DEFAULT_PROBE_US;
}

static weir_err add_rules(weir_overload *o, const weir_overload_rule *rules, size_t count)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < count; i++) {
        rule *own = &o->rules[o->rule_count++];
        own->exempt = rules[i].exempt;
        own->path = strdup(rules[i].path);
        err = own->path ? WEIR_OK : WEIR_ENOMEM;
        if (!err && rules[i].max_concurrent > 0 && !own->exempt)
            err = make_gate(o, rules[i].max_concurrent, false, &own->gate);
    }
    return err;
}

/** What may fail. */
static weir_err fill(weir_overload *o, const weir_overload_opts *opts)
{
    if (opts->key_metadata && !(o->key_metadata = strdup(opts->key_metadata)))
        return WEIR_ENOMEM;
    weir_err err = add_rules(o, opts->rules, opts->rule_count);
    if (!err && o->opts.max_concurrent > 0)
        err = make_gate(o, o->opts.max_concurrent, o->opts.adaptive, &o->gate);
    return err;
}

weir_err weir_overload_new(weir_overload **out, const weir_overload_opts *opts, weir_why *why)
{
    weir_err err = check(opts, why);
    if (err)
        return err;
    weir_overload *o = calloc(1, sizeof *o + opts->rule_count * sizeof *o->rules);
    if (!o)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    o->opts = *opts;
    set_defaults(&o->opts);
    err = fill(o, opts);
    if (err) {
        weir_overload_free(o);
        return weir_why_set(why, err, "%s", weir_err_text(err));
    }
    *out = o;
    return WEIR_OK;
}

void weir_overload_free(weir_overload *overload)
{
    if (!overload)
        return;
    for (size_t i = 0; i < overload->rule_count; i++) {
        free_gate(overload->rules[i].gate);
        free(overload->rules[i].path);
    }
    free_gate(overload->gate);
    free(overload->key_metadata);
    free(overload);
}

void weir_overload_get_stats(weir_overload *overload, weir_overload_stats *out)
{
    *out = (weir_overload_stats){0};
    weir__overload_gate *gate = overload->gate;
    if (!gate)
        return;
    out->limit = atomic_load(&gate->limit);
    out->in_flight = atomic_load(&gate->in_flight);
    out->waiting = atomic_load(&gate->waiting);
    out->refused = atomic_load(&gate->refused);
    out->too_late = atomic_load(&gate->late);
    weir__overload_gate_learned(gate, &out->no_load_us, &out->service_us);
}

/* Calls. */

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

static bool fits(const char *pattern, weir_str path)
{
    weir_str wanted = weir_str_from(pattern);
    return weir_str_ends(wanted, WEIR_STR("/")) ? weir_str_starts(path, wanted)
                                                : weir_str_eq(path, wanted);
}

static const rule *rule_of(const weir_overload *o, weir_str path)
{
    for (size_t i = 0; i < o->rule_count; i++) {
        if (fits(o->rules[i].path, path))
            return &o->rules[i];
    }
    return NULL;
}

static bool is_standard(weir_str path)
{
    return weir_str_starts(path, WEIR_STR("/grpc.")) &&
           (fits("/grpc.health.v1.Health/", path) || fits("/grpc.channelz.v1.Channelz/", path) ||
            weir_str_starts(path, WEIR_STR("/grpc.reflection.")));
}

static void choose_gates(const weir_overload *o, const weir_method *method, ticket *t)
{
    weir_str path = weir_str_from(method->path);
    const rule *its = rule_of(o, path);
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
    weir_time never = weir_time_never();
    weir_time entered = ran && tells_time(call, status) ? t->entered : never;
    weir_time now = t->gates[t->passed - 1]->timed ? weir_time_now() : never;
    while (t->passed > 0)
        weir__overload_gate_leave(t->gates[--t->passed], entered, now);
}

const weir_interceptor weir_overload_limit = {
    .name = "overload", .state_bytes = sizeof(ticket), .open = on_open, .closed = on_closed};
