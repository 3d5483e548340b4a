#include "overload_impl.h"

#include <stdlib.h>

enum {
    DEFAULT_MOST = 1000, /* of an adaptive limit */
    DEFAULT_LEAST = 4,
    DEFAULT_TOLERANCE = 25, /* percent */
    DEFAULT_QUEUE = 256,
    DEFAULT_LINES = 256,
    MOST_RULES = 1000
};

#define DEFAULT_QUEUE_US WEIR_MILLISECONDS(100)
#define DEFAULT_PROBE_US WEIR_SECONDS(30)
#define WINDOW_US        WEIR_MILLISECONDS(100)

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
        weir__overload_rule *own = &o->rules[o->rule_count++];
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
