/* "zk://HOSTS/PATH": the children of a node, kept up to date. Watches are hints: what they tell is
 * only when to read again, which also happens whenever the connection is made. */
#include <weir/zk/resolver.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>
#include <weir/zk/zk.h>

#include "resolver_nodes.h"

enum {
    SPREAD_US = 100000,    /* before a change is read, by chance */
    PATIENCE_US = 3000000, /* at the start */
    AGAIN_US = 5000000,    /* after what will hardly change by itself */
    SWEEP_US = 10000000,
    SWEEP = 500,  /* nodes without a watch that are read again then */
    WINDOW = 128, /* nodes that are read at once */
    WATCH_BYTES = 512 << 10
};

typedef struct zk_resolver {
    weir_resolver head;
    weir_loop *loop;
    const weir_resolver_events *events;
    void *user;
    weir_zk *zk;
    weir_zk_listener listener;
    weir_zk_watch children, exists;
    weir_zk_op op; /* of the children, or of the path */
    weir_timer soon, patience, sweep;
    weir_time soon_at;
    bool listing, incomplete; /* the children are being asked for; they are to be asked for again */
    bool connected_before;
    weir__zk_nodes nodes;
    weir_list unread;
    size_t reading, watch_bytes, sweep_at;
    weir_endpoints *told;
    char path[WEIR_ZK_PATH_MAX + 1];
} zk_resolver;

static void work(zk_resolver *r);

static void on_soon(weir_timer *timer WEIR_UNUSED, void *user)
{
    work(user);
}

/** Several reasons to read become one, at the earliest time. */
static void again_in(zk_resolver *r, int64_t us)
{
    weir_time when = weir_time_add(weir_loop_now(r->loop), us);
    if (weir_timer_pending(&r->soon) && !weir_time_before(when, r->soon_at))
        return;
    r->soon_at = when;
    weir_loop_at(r->loop, &r->soon, when, on_soon, r);
}

static void again_soon(zk_resolver *r)
{
    again_in(r, (int64_t)arc4random_uniform(SPREAD_US));
}

static void fail(zk_resolver *r, weir_err err, const char *why)
{
    weir_loop_cancel(r->loop, &r->patience);
    r->events->failed(err, why, r->user);
}

/* Telling. */

static size_t count_bad(const zk_resolver *r)
{
    size_t bad = 0;
    for (size_t i = 0; i < r->nodes.count; i++)
        bad += r->nodes.items[i]->bad;
    return bad;
}

static void tell(zk_resolver *r)
{
    weir_endpoints *list;
    char why[WEIR_ZK_PATH_MAX + 200];
    if (weir__zk_nodes_list(&r->nodes, &list)) {
        again_in(r, WEIR_SECONDS(1));
        return;
    }
    size_t bad = weir_endpoints_count(list) > 0 ? 0 : count_bad(r);
    if (bad > 0) {
        snprintf(why, sizeof why,
                 "none of the %zu nodes below %s in ZooKeeper can be read as an endpoint; the log "
                 "names them",
                 bad, r->path);
        weir_endpoints_unref(list);
        fail(r, WEIR_EMALFORMED, why);
        return;
    }
    if (r->told && weir_endpoints_equal(r->told, list)) {
        weir_endpoints_unref(list);
        return;
    }
    weir_endpoints_unref(r->told);
    r->told = list;
    weir_loop_cancel(r->loop, &r->patience);
    r->events->found(list, NULL, r->user);
}

/* Nodes. */

static void want(zk_resolver *r, weir__zk_node *node)
{
    if (!weir_list_linked(&node->unread))
        weir_list_append(&r->unread, &node->unread);
}

static size_t watch_cost(const zk_resolver *r, const weir__zk_node *node)
{
    return strlen(r->path) + strlen(node->name) + 5;
}

static void on_data_watch(weir_zk_watch *watch, weir_zk_event event WEIR_UNUSED, void *user)
{
    weir__zk_node *node = WEIR_CONTAINER_OF(watch, weir__zk_node, watch);
    zk_resolver *r = user;
    if (node->watched)
        r->watch_bytes -= watch_cost(r, node);
    node->watched = false;
    want(r, node); /* also a deleted one: it may have been made again */
    again_soon(r);
}

static void on_added(weir__zk_node *node, void *user)
{
    zk_resolver *r = user;
    node->owner = r;
    weir_zk_watch_init(&node->watch, on_data_watch, r);
    want(r, node);
}

static void on_removed(weir__zk_node *node, void *user)
{
    zk_resolver *r = user;
    if (node->watched)
        r->watch_bytes -= watch_cost(r, node);
    if (node->reading)
        r->reading--;
}

static void take_data(zk_resolver *r, weir__zk_node *node, const weir_zk_result *result)
{
    weir_why why = {"out of memory"};
    if (node->changed_zxid == result->stat.changed_zxid)
        return;
    weir_err err = weir__zk_node_read(node, result->data, &why);
    if (err != WEIR_ENOMEM)
        node->changed_zxid = result->stat.changed_zxid;
    node->bad = err != WEIR_OK;
    if (err)
        WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(1), "%s/%s in ZooKeeper is left out: %s",
                       r->path, node->name, why.text);
}

static void on_data(const weir_zk_result *result, void *user)
{
    weir__zk_node *node = user;
    zk_resolver *r = node->owner;
    node->reading = false;
    r->reading--;
    if (result->err == WEIR_OK) {
        if (node->watch.arm && !node->watched)
            r->watch_bytes += watch_cost(r, node);
        node->watched = node->watch.arm;
        take_data(r, node, result);
    } else if (result->err == WEIR_EACCES) {
        node->bad = true;
        WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(1), "left out: %s", result->why);
    } else if (result->err != WEIR_ENOENT) {
        want(r, node); /* when there is a connection again */
        if (weir_zk_get_state(r->zk) == WEIR_ZK_CONNECTED)
            again_in(r, WEIR_SECONDS(1));
        return;
    }
    work(r);
}

/** @return false: not now */
static bool read_node(zk_resolver *r, weir__zk_node *node)
{
    char path[2 * WEIR_ZK_PATH_MAX];
    bool watch = node->watched || r->watch_bytes + watch_cost(r, node) <= WATCH_BYTES;
    snprintf(path, sizeof path, "%s/%s", strcmp(r->path, "/") == 0 ? "" : r->path, node->name);
    weir_err err = weir_zk_get(r->zk, &node->op, path, watch ? &node->watch : NULL, on_data, node);
    if (err == WEIR_EINVAL) {
        node->bad = true;
        WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(1), "%.200s: its path is too long", path);
        return true;
    }
    node->reading = err == WEIR_OK;
    r->reading += node->reading;
    return err == WEIR_OK;
}

static void read_nodes(zk_resolver *r)
{
    while (r->reading < WINDOW && !weir_list_empty(&r->unread)) {
        weir__zk_node *node = WEIR_CONTAINER_OF(weir_list_pop(&r->unread), weir__zk_node, unread);
        if (node->reading || read_node(r, node))
            continue;
        want(r, node);
        again_in(r, WEIR_SECONDS(1));
        return;
    }
}

/** The ones that have no watch, some at a time. */
static void on_sweep(weir_timer *timer, void *user)
{
    zk_resolver *r = user;
    size_t wanted = 0;
    for (size_t i = 0; i < r->nodes.count && wanted < SWEEP; i++) {
        weir__zk_node *node = r->nodes.items[r->sweep_at++ % r->nodes.count];
        if (node->watched || node->reading)
            continue;
        want(r, node);
        wanted++;
    }
    if (wanted > 0)
        again_soon(r);
    weir_loop_after(r->loop, timer, SWEEP_US, on_sweep, r);
}

/* The list of them. */

static void on_exists(const weir_zk_result *result, void *user)
{
    zk_resolver *r = user;
    r->listing = false;
    if (result->err == WEIR_OK) { /* since it was asked for */
        r->incomplete = true;
        work(r);
    } else if (result->err == WEIR_ENOENT) {
        char why[WEIR_ZK_PATH_MAX + 200];
        snprintf(why, sizeof why,
                 "ZooKeeper has no node %s: no server has registered there yet, or the path is "
                 "another one",
                 r->path);
        fail(r, WEIR_ENOENT, why);
    } else {
        r->incomplete = true; /* when there is a connection again */
        again_in(r, AGAIN_US);
    }
}

static void watch_for_path(zk_resolver *r)
{
    if (weir_zk_exists(r->zk, &r->op, r->path, &r->exists, on_exists, r) == WEIR_OK)
        r->listing = true;
    else
        again_in(r, WEIR_SECONDS(1));
}

static void on_children(const weir_zk_result *result, void *user)
{
    zk_resolver *r = user;
    r->listing = false;
    if (result->err == WEIR_ENOENT) {
        watch_for_path(r);
        return;
    }
    weir_err err = result->err;
    if (!err)
        err = weir__zk_nodes_set(&r->nodes, result->children, result->child_count, on_added,
                                 on_removed, r);
    if (!err) {
        work(r);
        return;
    }
    r->incomplete = true;
    again_in(r, AGAIN_US);
    if (err == WEIR_EACCES)
        fail(r, err, result->why);
}

static void list_nodes(zk_resolver *r)
{
    r->incomplete = false;
    if (weir_zk_children(r->zk, &r->op, r->path, &r->children, on_children, r) == WEIR_OK) {
        r->listing = true;
    } else {
        r->incomplete = true;
        again_in(r, WEIR_SECONDS(1));
    }
}

/** What is to be done next; nothing while there is no connection. */
static void work(zk_resolver *r)
{
    if (weir_zk_get_state(r->zk) != WEIR_ZK_CONNECTED || r->listing)
        return;
    if (r->incomplete) {
        list_nodes(r);
        return;
    }
    read_nodes(r);
    if (r->reading == 0 && weir_list_empty(&r->unread) && r->nodes.items)
        tell(r);
}

static void on_path_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event WEIR_UNUSED,
                          void *user)
{
    zk_resolver *r = user;
    r->incomplete = true;
    again_soon(r);
}

static void on_state(weir_zk *zk, weir_zk_state state, void *user)
{
    zk_resolver *r = user;
    if (state == WEIR_ZK_CLOSED)
        fail(r, WEIR_EACCES, weir_zk_why(zk));
    if (state != WEIR_ZK_CONNECTED)
        return;
    r->incomplete = true;
    if (r->connected_before)
        again_soon(r);
    else
        again_in(r, 0);
    r->connected_before = true;
}

static void on_patience(weir_timer *timer WEIR_UNUSED, void *user)
{
    zk_resolver *r = user;
    const char *why = weir_zk_why(r->zk);
    fail(r, WEIR_EUNREACH, why[0] ? why : "ZooKeeper has not answered yet");
}

/* Its life. */

static weir_err read_target(zk_resolver *r, const weir_resolver_request *request, weir_why *why)
{
    size_t len = strlen(request->path);
    while (len > 0 && request->path[len - 1] == '/')
        len--;
    if (!request->authority[0] || len == 0 || len >= sizeof r->path / 2)
        return weir_why_set(why, WEIR_EINVAL,
                            "the target \"%.60s\" is not of the form "
                            "\"zk://HOST:PORT,HOST:PORT/PATH/OF/THE/SERVICE\"",
                            request->target);
    snprintf(r->path, sizeof r->path, "/%.*s", (int)len, request->path);
    return WEIR_OK;
}

static weir_err zk_start(weir_resolver **out, const weir_resolver_request *request, weir_why *why)
{
    zk_resolver *r = calloc(1, sizeof *r);
    if (!r)
        return WEIR_ENOMEM;
    *r = (zk_resolver){.head.type = &weir_resolver_zk,
                       .loop = request->loop,
                       .events = request->events,
                       .user = request->user};
    weir_list_init(&r->unread);
    weir_zk_watch_init(&r->children, on_path_watch, r);
    weir_zk_watch_init(&r->exists, on_path_watch, r);
    weir_err err = read_target(r, request, why);
    if (!err)
        err = weir_zk_new(&r->zk, r->loop, request->authority, NULL, why);
    if (err) {
        free(r);
        return err;
    }
    weir_zk_listen(r->zk, &r->listener, on_state, r);
    weir_loop_after(r->loop, &r->patience, PATIENCE_US, on_patience, r);
    weir_loop_after(r->loop, &r->sweep, SWEEP_US, on_sweep, r);
    *out = &r->head;
    return WEIR_OK;
}

static void zk_free(weir_resolver *resolver)
{
    zk_resolver *r = WEIR_CONTAINER_OF(resolver, zk_resolver, head);
    weir_loop_cancel(r->loop, &r->soon);
    weir_loop_cancel(r->loop, &r->patience);
    weir_loop_cancel(r->loop, &r->sweep);
    weir_zk_cancel(&r->op);
    weir_zk_unwatch(&r->children);
    weir_zk_unwatch(&r->exists);
    weir__zk_nodes_clear(&r->nodes);
    weir_zk_free(r->zk);
    weir_endpoints_unref(r->told);
    free(r);
}

const weir_resolver_type weir_resolver_zk = {"zk", zk_start, NULL, zk_free};
