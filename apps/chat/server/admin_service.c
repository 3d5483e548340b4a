/* AdminService: what the node has done, and its end. */
#include "auth.h"
#include "weir/chat/v1/admin.weir.h"

enum {
    MAX_COUNTERS = 48
};

typedef struct listing {
    chat_counter items[MAX_COUNTERS];
    size_t count;
} listing;

static void add(listing *list, const char *name, uint64_t value)
{
    if (list->count < MAX_COUNTERS)
        list->items[list->count++] = (chat_counter){.name = weir_str_from(name), .value = value};
}

static void list_own(listing *list, app *self)
{
    counters *c = &self->counters;
    add(list, "sessions_now", atomic_load(&c->sessions));
    add(list, "subscriptions_now", atomic_load(&c->subscriptions));
    add(list, "messages_stored", atomic_load(&c->stored));
    add(list, "messages_repeated", atomic_load(&c->repeated));
    add(list, "messages_refused", atomic_load(&c->refused));
    add(list, "messages_failed", atomic_load(&c->failed));
    add(list, "frames_pushed", atomic_load(&c->pushed));
    add(list, "frames_missed", atomic_load(&c->missed));
    add(list, "heads_sent", atomic_load(&c->heads));
    add(list, "marks_stored", atomic_load(&c->marks));
    add(list, "marks_dropped", atomic_load(&c->marks_dropped));
    add(list, "logins", atomic_load(&c->logins));
    add(list, "logins_refused", atomic_load(&c->logins_refused));
}

static void list_store(listing *list, app *self)
{
    storage_stats stats;
    storage_get_stats(self->storage, &stats);
    add(list, "store_jobs", stats.jobs);
    add(list, "store_jobs_failed", stats.failed);
    add(list, "store_jobs_refused", stats.refused);
    add(list, "store_commits", stats.commits);
    add(list, "store_retries", stats.retries);
    add(list, "store_reopened", stats.reopened);
    add(list, "store_queued_now", stats.queued);
}

static void list_server(listing *list, const app *self)
{
    weir_server_stats stats;
    weir_server_get_stats(self->server, &stats);
    add(list, "connections_now", stats.connections);
    add(list, "calls_now", stats.calls);
    add(list, "calls", stats.calls_total);
    add(list, "calls_failed", stats.calls_failed);
}

/** The bus belongs to the app's loop: asked there. */
typedef struct bus_question {
    weir_task task;
    app *app;
    weir_latch answered;
    bus_stats stats;
} bus_question;

static void on_bus_question(weir_task *task, weir_err err)
{
    bus_question *self = WEIR_CONTAINER_OF(task, bus_question, task);
    if (!err && self->app->bus)
        bus_get_stats(self->app->bus, &self->stats);
    weir_latch_down(&self->answered);
}

static void list_bus(listing *list, app *self)
{
    bus_question asked = {.app = self};
    weir_latch_init(&asked.answered, 1);
    weir_loop_post(self->loop, &asked.task, on_bus_question);
    weir_latch_wait(&asked.answered);
    weir_latch_fini(&asked.answered);
    add(list, "bus_published", asked.stats.published);
    add(list, "bus_received", asked.stats.received);
    add(list, "bus_dropped", asked.stats.dropped);
    add(list, "bus_reconnects", asked.stats.reconnects);
    add(list, "bus_channels_now", asked.stats.channels);
}

static bool is_admin(const app *self, const char *name)
{
    for (unsigned i = 0; i < self->opts->admin_count; i++) {
        if (strcmp(name, self->opts->admins[i]) == 0)
            return true;
    }
    return false;
}

static weir_status refuse_others(weir_blocking_call *call)
{
    return weir_blocking_fail(call, WEIR_STATUS_PERMISSION_DENIED,
                              "only for those whom --admin names");
}

static weir_status get_counters(weir_blocking_call *call,
                                const chat_counters_request *request WEIR_UNUSED,
                                chat_counters_response *reply, void *user)
{
    app *self = user;
    caller who = auth_blocking_caller(call);
    if (!is_admin(self, who.name))
        return refuse_others(call);
    listing *list = weir_arena_zalloc(weir_blocking_arena(call), sizeof *list);
    if (!list)
        return weir_blocking_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    list_own(list, self);
    list_store(list, self);
    list_bus(list, self);
    list_server(list, self);
    reply->node = weir_str_from(self->node);
    reply->counters.items = list->items;
    reply->counters.len = list->count;
    return WEIR_BLOCKING_OK;
}

static weir_status drain_node(weir_blocking_call *call,
                              const chat_drain_request *request WEIR_UNUSED,
                              chat_drain_response *reply WEIR_UNUSED, void *user)
{
    app *self = user;
    caller who = auth_blocking_caller(call);
    if (!is_admin(self, who.name))
        return refuse_others(call);
    WEIR_LOG_INFO("drained by %s", who.name);
    self->stop(self->stop_user);
    return WEIR_BLOCKING_OK;
}

weir_err admin_serve(weir_server *server, app *self)
{
    static const chat_admin_service_methods methods = {
        .blocking = {.get_counters = get_counters, .drain_node = drain_node},
    };
    return chat_admin_service_serve(server, &methods, self);
}
