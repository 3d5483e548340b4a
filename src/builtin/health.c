#include <weir/builtin/health.h>

#include <pthread.h>
#include <search.h>
#include <stdlib.h>

#include "grpc/health/v1/health.weir.h"

enum {
    SERVICE_UNKNOWN = WEIR__HEALTH_HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVICE_UNKNOWN,
    LIST_MAX = 100 /* services in an answer to List */
};

/** A service of which something was said, or whose watchers wait for that. */
typedef struct service_entry {
    weir_str name;
    bool known;
    weir_health_status status;
    weir_list watchers;
    char text[]; /* of `name` */
} entry;

/** A call of Watch. */
typedef struct watcher {
    weir_list node; /* the entry's */
    entry *entry;
    weir_call_id call;
    int sent; /* the status that it has been told, or is being told */
} watcher;

struct weir_health {
    weir_server_part part;
    pthread_mutex_t lock; /* of all that follows */
    void *entries;        /* a tree of tsearch(3) */
    bool down;
};

static int compare(const void *a, const void *b)
{
    const weir_str *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len ? memcmp(x->ptr, y->ptr, len) : 0;
    return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

/* An entry begins with its name, which is what the tree compares. */
_Static_assert(offsetof(entry, name) == 0, "the tree compares names");

static entry *find(weir_health *health, weir_str name)
{
    void *node = tfind(&name, &health->entries, compare);
    return node ? *(entry **)node : NULL;
}

static entry *find_or_add(weir_health *health, weir_str name)
{
    entry *e = find(health, name);
    if (e)
        return e;
    e = calloc(1, sizeof *e + name.len + 1);
    if (!e)
        return NULL;
    if (name.len > 0)
        memcpy(e->text, name.ptr, name.len);
    e->name = weir_str_of(e->text, name.len);
    weir_list_init(&e->watchers);
    if (!tsearch(e, &health->entries, compare)) {
        free(e);
        return NULL;
    }
    return e;
}

/** Of what nobody has said anything, only watchers keep an entry. */
static void drop_if_unused(weir_health *health, entry *e)
{
    if (e->known || !weir_list_empty(&e->watchers))
        return;
    tdelete(e, &health->entries, compare);
    free(e);
}

static int status_of(const weir_health *health, const entry *e)
{
    if (!e || !e->known)
        return SERVICE_UNKNOWN;
    return health->down ? (int)WEIR_HEALTH_NOT_SERVING : (int)e->status;
}

static weir__health_health_check_response answer_of(int status)
{
    return (weir__health_health_check_response){
        .status = (weir__health_health_check_response_serving_status)status};
}

/* Telling watchers: from any thread, under the lock, so that posts are in the order of changes. One
 * that does not read is told the status of then when its call is writable again. */

static void tell(const weir_health *health, watcher *w)
{
    int status = status_of(health, w->entry);
    weir__health_health_check_response answer = answer_of(status);
    if (w->sent != status && weir__health_health_watch_send_post(w->call, &answer) == WEIR_OK)
        w->sent = status;
}

static void tell_watchers(const weir_health *health, const entry *e)
{
    weir_list_each (node, next, &e->watchers)
        tell(health, WEIR_CONTAINER_OF(node, watcher, node));
}

weir_err weir_health_set(weir_health *health, const char *service, weir_health_status status)
{
    pthread_mutex_lock(&health->lock);
    entry *e = find_or_add(health, weir_str_from(service));
    if (e) {
        e->known = true;
        e->status = status;
        tell_watchers(health, e);
    }
    pthread_mutex_unlock(&health->lock);
    return e ? WEIR_OK : WEIR_ENOMEM;
}

static void tell_all_of(const void *node, VISIT visit, void *user)
{
    if (visit == postorder || visit == leaf)
        tell_watchers(user, *(entry *const *)node);
}

void weir_health_shutdown(weir_health *health)
{
    pthread_mutex_lock(&health->lock);
    health->down = true;
    twalk_r(health->entries, tell_all_of, health);
    pthread_mutex_unlock(&health->lock);
}

/* The methods */

static void fail_with(weir_call *call, weir_err err)
{
    weir_call_fail(call, (weir_status_code)weir_err_status(err), "%s", weir_err_text(err));
}

static void check(weir_call *call, const weir__health_health_check_request *request, void *user)
{
    weir_health *health = user;
    pthread_mutex_lock(&health->lock);
    int status = status_of(health, find(health, request->service));
    pthread_mutex_unlock(&health->lock);
    weir__health_health_check_response answer = answer_of(status);
    if (status == SERVICE_UNKNOWN) {
        weir_call_fail(call, WEIR_STATUS_NOT_FOUND, "unknown service");
        return;
    }
    weir_err err = weir__health_health_check_reply(call, &answer);
    if (err)
        fail_with(call, err);
}

/** What twalk_r() fills. */
typedef struct listing {
    const weir_health *health;
    weir_arena *arena;
    weir__health_health_list_response_statuses_entry entries[LIST_MAX];
    size_t len;
    weir_err err;
} listing;

static void list_entry(const void *node, VISIT visit, void *user)
{
    listing *l = user;
    const entry *e = *(entry *const *)node;
    if ((visit != postorder && visit != leaf) || !e->known || l->err)
        return;
    weir__health_health_check_response *value = weir_arena_zalloc(l->arena, sizeof *value);
    weir_str key = weir_arena_copy(l->arena, e->name); /* it may be changed behind the lock */
    if (l->len == LIST_MAX || !value || !key.ptr) {
        l->err = l->len == LIST_MAX ? WEIR_EFULL : WEIR_ENOMEM;
        return;
    }
    *value = answer_of(status_of(l->health, e));
    l->entries[l->len++] =
        (weir__health_health_list_response_statuses_entry){.key = key, .value = value};
}

static void list(weir_call *call, const weir__health_health_list_request *request WEIR_UNUSED,
                 void *user)
{
    weir_health *health = user;
    listing l = {.health = health, .arena = weir_call_arena(call)};
    pthread_mutex_lock(&health->lock);
    twalk_r(health->entries, list_entry, &l);
    pthread_mutex_unlock(&health->lock);
    weir__health_health_list_response answer = {.statuses = {l.entries, l.len}};
    weir_err err = l.err ? l.err : weir__health_health_list_reply(call, &answer);
    if (err == WEIR_EFULL)
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "more than %d services", LIST_MAX);
    else if (err)
        fail_with(call, err);
}

static void watch(weir_call *call, const weir__health_health_check_request *request, void *user)
{
    weir_health *health = user;
    watcher *w = weir_arena_zalloc(weir_call_arena(call), sizeof *w);
    if (!w) {
        fail_with(call, WEIR_ENOMEM);
        return;
    }
    pthread_mutex_lock(&health->lock);
    w->entry = find_or_add(health, request->service);
    weir_err err = w->entry ? WEIR_OK : WEIR_ENOMEM;
    if (!err) {
        w->call = weir_call_id_of(call);
        w->sent = status_of(health, w->entry);
        weir_list_append(&w->entry->watchers, &w->node);
        weir_call_set_data(call, w);
        weir__health_health_check_response answer = answer_of(w->sent);
        err = weir__health_health_watch_send(call, &answer);
    }
    pthread_mutex_unlock(&health->lock);
    if (err)
        fail_with(call, err);
}

static void watch_writable(weir_call *call, void *user)
{
    weir_health *health = user;
    watcher *w = weir_call_data(call);
    if (!w)
        return;
    pthread_mutex_lock(&health->lock);
    tell(health, w);
    pthread_mutex_unlock(&health->lock);
}

static void watch_closed(weir_call *call, const weir_status *why WEIR_UNUSED, void *user)
{
    weir_health *health = user;
    watcher *w = weir_call_data(call);
    if (!w)
        return;
    pthread_mutex_lock(&health->lock);
    weir_list_remove(&w->node);
    drop_if_unused(health, w->entry);
    pthread_mutex_unlock(&health->lock);
}

static const weir__health_health_methods methods = {
    .check = check,
    .list = list,
    .watch = {.open = watch, .writable = watch_writable, .closed = watch_closed},
};

/* Its life is the server's. */

static void end_watchers_of(const void *node, VISIT visit, void *user WEIR_UNUSED)
{
    static const weir_status stopping = {
        WEIR_STATUS_UNAVAILABLE, {"the server is shutting down", 27}, {0}};
    const entry *e = *(entry *const *)node;
    if (visit != postorder && visit != leaf)
        return;
    weir_list_each (at, next, &e->watchers)
        weir_call_finish_post(WEIR_CONTAINER_OF(at, watcher, node)->call, &stopping);
}

/** Watchers would go on for ever: they are told, and end. */
static void on_stop(weir_server_part *part)
{
    weir_health *health = WEIR_CONTAINER_OF(part, weir_health, part);
    weir_health_shutdown(health);
    pthread_mutex_lock(&health->lock);
    twalk_r(health->entries, end_watchers_of, NULL);
    pthread_mutex_unlock(&health->lock);
}

static void on_free(weir_server_part *part)
{
    weir_health *health = WEIR_CONTAINER_OF(part, weir_health, part);
    tdestroy(health->entries, free);
    pthread_mutex_destroy(&health->lock);
    free(health);
}

weir_err weir_health_serve(weir_server *server, weir_health **out)
{
    weir_health *health = calloc(1, sizeof *health);
    if (!health)
        return WEIR_ENOMEM;
    pthread_mutex_init(&health->lock, NULL);
    health->part = (weir_server_part){.on_stop = on_stop, .on_free = on_free};
    weir_err err = weir_health_set(health, "", WEIR_HEALTH_SERVING);
    if (!err)
        err = weir__health_health_serve(server, &methods, health);
    if (err) {
        on_free(&health->part);
        return err;
    }
    weir_server_attach(server, &health->part);
    if (out)
        *out = health;
    return WEIR_OK;
}
