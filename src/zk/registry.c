/* "zk://HOSTS/PATH": registrations as ephemeral nodes. Each of them goes around one circle: look
 * whether its node is there, is this session's, and says the right thing; if not, mend that, and
 * look again. Whatever happens only begins the circle anew. */
#include <weir/zk/registry.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>
#include <weir/zk/zk.h>

enum {
    START_US = 3000000,    /* until it counts as lost that ZooKeeper has not been reached */
    WITHDRAW_US = 3000000, /* until a withdrawal ends in any case */
    AGAIN_US = 1000000,
    REFUSED_US = 5000000,
    CHECKS = 3 /* every so many session timeouts */
};

typedef struct zk_registry {
    weir_registry head;
    weir_loop *loop;
    weir_zk *zk;
    weir_zk_listener listener;
    weir_timer check, patience;
    unsigned flags; /* of nodes: their ACL */
    char base[WEIR_ZK_PATH_MAX / 2];
} zk_registry;

typedef struct zk_registration {
    weir_registration head;
    weir_zk_op op;
    weir_zk_watch watch;
    weir_timer later;
    bool again; /* something has happened while it was under way */
} zk_registration;

typedef char node_path[WEIR_ZK_PATH_MAX + 1];

static void look(zk_registration *r);

static zk_registry *registry_of(const zk_registration *r)
{
    return WEIR_CONTAINER_OF(r->head.registry, zk_registry, head);
}

static zk_registration *of_node(weir_list *node)
{
    weir_registration *head = WEIR_CONTAINER_OF(node, weir_registration, node);
    return WEIR_CONTAINER_OF(head, zk_registration, head);
}

static const char *folder_of(const zk_registration *r, node_path out)
{
    snprintf(out, sizeof(node_path), "%s/%s", registry_of(r)->base, r->head.service);
    return out;
}

static const char *path_of(const zk_registration *r, node_path out)
{
    snprintf(out, sizeof(node_path), "%s/%s/%s", registry_of(r)->base, r->head.service, r->head.id);
    return out;
}

/* The circle. */

static void on_later(weir_timer *timer WEIR_UNUSED, void *user)
{
    look(user);
}

static void try_again(zk_registration *r, int64_t us)
{
    weir_loop_after(registry_of(r)->loop, &r->later, us + (int64_t)arc4random_uniform(AGAIN_US),
                    on_later, r);
}

/** It did not work now. */
static void fail(zk_registration *r, weir_err err, const char *why)
{
    try_again(r, err == WEIR_EACCES ? REFUSED_US : AGAIN_US);
    WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(1), "%s is not registered: %s",
                   r->head.service, why);
    weir_registration_tell(&r->head, WEIR_REGISTRATION_LOST, why);
}

/** @return whether an operation could be begun; if not, it is tried again */
static bool begun(zk_registration *r, weir_err err)
{
    if (err)
        fail(r, err, weir_err_text(err));
    return !err;
}

static void on_step(const weir_zk_result *result, void *user)
{
    zk_registration *r = user;
    if (result->err == WEIR_OK || result->err == WEIR_EEXIST || result->err == WEIR_ENOENT)
        look(r);
    else if (result->err == WEIR_EIO)
        try_again(r, 0); /* done or not */
    else if (result->err != WEIR_ECLOSED)
        fail(r, result->err, result->why);
}

static void create(zk_registration *r);

static void on_folder(const weir_zk_result *result, void *user)
{
    zk_registration *r = user;
    if (result->err == WEIR_OK)
        create(r);
    else
        on_step(result, r);
}

static void on_created(const weir_zk_result *result, void *user)
{
    zk_registration *r = user;
    zk_registry *g = registry_of(r);
    node_path path;
    if (result->err != WEIR_ENOENT)
        on_step(result, r);
    else
        begun(r, weir_zk_make_path(g->zk, &r->op, folder_of(r, path), g->flags, on_folder, r));
}

static void create(zk_registration *r)
{
    zk_registry *g = registry_of(r);
    node_path path;
    begun(r, weir_zk_create(g->zk, &r->op, path_of(r, path), weir_str_from(r->head.json),
                            g->flags | WEIR_ZK_EPHEMERAL, on_created, r));
}

/** Of an earlier session of this process, whose end would take it away; or of somebody else. */
static void replace(zk_registration *r)
{
    node_path path;
    path_of(r, path);
    WEIR_LOG_INFO("%s belongs to another session and is made anew", path);
    begun(r, weir_zk_delete(registry_of(r)->zk, &r->op, path, WEIR_ZK_ANY_VERSION, on_step, r));
}

static void rewrite(zk_registration *r)
{
    node_path path;
    begun(r, weir_zk_set(registry_of(r)->zk, &r->op, path_of(r, path), weir_str_from(r->head.json),
                         WEIR_ZK_ANY_VERSION, on_step, r));
}

static void on_looked(const weir_zk_result *result, void *user)
{
    zk_registration *r = user;
    if (result->err == WEIR_ENOENT)
        create(r);
    else if (result->err)
        on_step(result, r);
    else if (result->stat.ephemeral_owner != weir_zk_session_id(registry_of(r)->zk))
        replace(r);
    else if (!weir_str_eq(result->data, weir_str_from(r->head.json)))
        rewrite(r);
    else if (r->again)
        look(r);
    else
        weir_registration_tell(&r->head, WEIR_REGISTRATION_ACTIVE, "");
}

/** Begins the circle, or lets the one under way go around once more. */
static void look(zk_registration *r)
{
    zk_registry *g = registry_of(r);
    node_path path;
    r->again = r->op.request != NULL;
    if (r->again || r->head.withdrawn || weir_zk_get_state(g->zk) != WEIR_ZK_CONNECTED)
        return;
    weir_loop_cancel(g->loop, &r->later);
    begun(r, weir_zk_get(g->zk, &r->op, path_of(r, path), &r->watch, on_looked, r));
}

static void on_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event WEIR_UNUSED, void *user)
{
    look(user);
}

/* For all of them. */

static void look_at_all(zk_registry *g)
{
    weir_list_each (node, following, &g->head.registrations)
        look(of_node(node));
}

static void lose_all(zk_registry *g, const char *why)
{
    weir_list_each (node, following, &g->head.registrations)
        weir_registration_tell(&of_node(node)->head, WEIR_REGISTRATION_LOST, why);
}

static void on_check(weir_timer *timer, void *user)
{
    zk_registry *g = user;
    int64_t us = weir_zk_session_us(g->zk) * CHECKS;
    look_at_all(g);
    weir_loop_after(g->loop, timer, us - us / 10 + (int64_t)arc4random_uniform((uint32_t)(us / 5)),
                    on_check, g);
}

static void on_patience(weir_timer *timer WEIR_UNUSED, void *user)
{
    zk_registry *g = user;
    const char *why = weir_zk_why(g->zk);
    lose_all(g, why[0] ? why : "ZooKeeper has not answered yet");
}

static void on_state(weir_zk *zk, weir_zk_state state, void *user)
{
    zk_registry *g = user;
    if (state == WEIR_ZK_CONNECTED) {
        weir_loop_cancel(g->loop, &g->patience);
        look_at_all(g);
    } else if (state == WEIR_ZK_DISCONNECTED) {
        weir_loop_after(g->loop, &g->patience, weir_zk_session_us(zk), on_patience, g);
    } else if (state == WEIR_ZK_LOST) {
        lose_all(g, "the session with ZooKeeper has ended; it is registered again with the next");
    } else if (state == WEIR_ZK_CLOSED) {
        lose_all(g, weir_zk_why(zk));
    }
}

/* The type's functions. */

static weir_err zk_add(weir_registration *head, weir_why *why)
{
    zk_registration *r = WEIR_CONTAINER_OF(head, zk_registration, head);
    zk_registry *g = registry_of(r);
    if (strlen(g->base) + strlen(head->service) + strlen(head->id) + 3 > WEIR_ZK_PATH_MAX)
        return weir_why_set(why, WEIR_EINVAL, "the path in ZooKeeper is too long");
    weir_zk_watch_init(&r->watch, on_watch, r);
    weir_loop_after(g->loop, &r->later, 0, on_later, r);
    if (weir_zk_get_state(g->zk) != WEIR_ZK_CONNECTED && !weir_timer_pending(&g->patience))
        weir_loop_after(g->loop, &g->patience, START_US, on_patience, g);
    return WEIR_OK;
}

static void zk_update(weir_registration *head)
{
    look(WEIR_CONTAINER_OF(head, zk_registration, head));
}

static void zk_release(weir_registration *head)
{
    zk_registration *r = WEIR_CONTAINER_OF(head, zk_registration, head);
    weir_zk_cancel(&r->op);
    weir_zk_unwatch(&r->watch);
    weir_loop_cancel(registry_of(r)->loop, &r->later);
}

static const char left_behind[] =
    "ZooKeeper could not be reached: the node goes when the session ends";

static void on_withdraw_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    zk_registration *r = user;
    weir_registration_gone(&r->head, WEIR_EUNREACH, left_behind);
}

static void remove_node(zk_registration *r);

static void on_removed(const weir_zk_result *result, void *user)
{
    zk_registration *r = user;
    weir_err err = result->err;
    if (err == WEIR_EIO)
        remove_node(r); /* the limit ends this */
    else if (err == WEIR_OK || err == WEIR_ENOENT || err == WEIR_ECLOSED)
        weir_registration_gone(&r->head, WEIR_OK, "");
    else
        weir_registration_gone(&r->head, err, result->why);
}

static void remove_node(zk_registration *r)
{
    node_path path;
    /* An error leaves it to the limit. */
    (void)!weir_zk_delete(registry_of(r)->zk, &r->op, path_of(r, path), WEIR_ZK_ANY_VERSION,
                          on_removed, r);
}

/** What is under way goes to ZooKeeper before this, and does no harm. */
static void zk_withdraw(weir_registration *head)
{
    zk_registration *r = WEIR_CONTAINER_OF(head, zk_registration, head);
    weir_zk_cancel(&r->op);
    weir_zk_unwatch(&r->watch);
    weir_loop_after(registry_of(r)->loop, &r->later, WITHDRAW_US, on_withdraw_limit, r);
    remove_node(r);
}

static weir_err read_base(zk_registry *g, const weir_registry_request *request, weir_why *why)
{
    size_t len = strlen(request->path);
    while (len > 0 && request->path[len - 1] == '/')
        len--;
    if (!request->authority[0] || len + 2 > sizeof g->base)
        return weir_why_set(why, WEIR_EINVAL,
                            "the registry \"%.60s\" is not of the form "
                            "\"zk://HOST:PORT,HOST:PORT/PATH\"",
                            request->target);
    if (len == 0)
        strcpy(g->base, WEIR_ZK_SERVICES);
    else
        snprintf(g->base, sizeof g->base, "/%.*s", (int)len, request->path);
    return WEIR_OK;
}

static weir_err zk_open(weir_registry **out, const weir_registry_request *request, weir_why *why)
{
    const weir_registry_opts *opts = request->opts;
    zk_registry *g = calloc(1, sizeof *g);
    if (!g)
        return WEIR_ENOMEM;
    g->loop = request->loop;
    g->flags = opts->auth ? WEIR_ZK_READABLE : 0;
    weir_list_init(&g->head.registrations);
    weir_err err = read_base(g, request, why);
    if (!err)
        err = weir_zk_new(&g->zk, g->loop, request->authority,
                          &(weir_zk_opts){.session_us = opts->session_us, .auth = opts->auth}, why);
    if (err) {
        free(g);
        return err;
    }
    weir_zk_listen(g->zk, &g->listener, on_state, g);
    weir_loop_after(g->loop, &g->check, weir_zk_session_us(g->zk) * CHECKS, on_check, g);
    *out = &g->head;
    return WEIR_OK;
}

static void zk_free(weir_registry *head)
{
    zk_registry *g = WEIR_CONTAINER_OF(head, zk_registry, head);
    weir_loop_cancel(g->loop, &g->check);
    weir_loop_cancel(g->loop, &g->patience);
    weir_zk_free(g->zk);
    free(g);
}

const weir_registry_type weir_registry_zk = {
    .scheme = "zk",
    .registration_size = sizeof(zk_registration),
    .open = zk_open,
    .add = zk_add,
    .update = zk_update,
    .withdraw = zk_withdraw,
    .release = zk_release,
    .free = zk_free,
};
