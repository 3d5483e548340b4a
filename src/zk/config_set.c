/* Changes of a configuration's nodes. When an answer was lost the node is read to see whether it
 * was done. */
#include "blocking.h"
#include "config_impl.h"
#include "wait.h"

#include <stdlib.h>

enum {
    CHANGES = 100 /* under way at once */
};

typedef struct change {
    weir_list node;
    weir_zk_config *config;
    weir__zk_slot *slot;
    weir_zk_op op;
    weir_timer limit;
    int32_t version;
    bool doubtful; /* an answer was lost: it may have been done */
    weir_zk_config_fn fn;
    void *user;
    size_t len;
    char text[];
} change;

static void set(change *c);
static void create(change *c);

static void end(change *c, weir_err err, const char *why)
{
    weir_zk_cancel(&c->op);
    weir_loop_cancel(c->config->loop, &c->limit);
    weir_list_remove(&c->node);
    c->config->change_count--;
    c->fn(err, err ? why : "", c->user);
    free(c);
}

/** @return false: it has ended, as it could not be begun */
static bool begun(change *c, weir_err err)
{
    if (err)
        end(c, err, weir_err_text(err));
    return !err;
}

static weir_str text_of(const change *c)
{
    return weir_str_of(c->text, c->len);
}

/* Was it done? */

static void on_found(const weir_zk_result *result, void *user)
{
    change *c = user;
    bool found = result->err == WEIR_OK;
    int32_t done = c->version == WEIR_ZK_CONFIG_ABSENT ? 0 : c->version + 1;
    if (result->err == WEIR_ECLOSED || result->err == WEIR_EIO)
        begun(c, weir_zk_get(c->config->zk, &c->op, c->slot->path, NULL, on_found, c));
    else if (!found && result->err != WEIR_ENOENT)
        end(c, result->err, result->why);
    else if (found && weir_str_eq(result->data, text_of(c)) && result->stat.version == done)
        end(c, WEIR_OK, "");
    else if (found ? result->stat.version == c->version : c->version == WEIR_ZK_CONFIG_ABSENT)
        set(c);
    else
        end(c, WEIR_ESTATE, "the node has changed: its version is another one");
}

/** The answer was lost, or it says that the version is another one: by our own doing, perhaps. */
static void search(change *c)
{
    if (c->version == WEIR_ZK_ANY_VERSION)
        set(c); /* twice does no harm */
    else
        begun(c, weir_zk_get(c->config->zk, &c->op, c->slot->path, NULL, on_found, c));
}

/* Doing it. */

static void on_path(const weir_zk_result *result, void *user)
{
    change *c = user;
    if (result->err == WEIR_OK || result->err == WEIR_ECLOSED || result->err == WEIR_EIO)
        create(c);
    else
        end(c, result->err, result->why);
}

/** Makes the folder that the node is to be in. */
static void make_folder(change *c)
{
    char folder[WEIR_ZK_PATH_MAX + 1];
    weir_zk_config *config = c->config;
    size_t len = (size_t)(strrchr(c->slot->path, '/') - c->slot->path);
    memcpy(folder, c->slot->path, len);
    folder[len] = '\0';
    begun(c, weir_zk_make_path(config->zk, &c->op, folder, config->flags, on_path, c));
}

static void on_changed(const weir_zk_result *result, void *user)
{
    change *c = user;
    bool any = c->version == WEIR_ZK_ANY_VERSION;
    switch (result->err) {
    case WEIR_EIO:
    case WEIR_ECLOSED:
        c->doubtful = true;
        search(c);
        return;
    case WEIR_ESTATE:
    case WEIR_EEXIST:
        if (c->doubtful || (any && result->err == WEIR_EEXIST))
            search(c);
        else
            end(c, WEIR_ESTATE, result->why);
        return;
    case WEIR_ENOENT:
        if (any)
            create(c);
        else
            end(c, WEIR_ESTATE, result->why);
        return;
    default:
        end(c, result->err, result->why);
    }
}

static void on_created(const weir_zk_result *result, void *user)
{
    if (result->err == WEIR_ENOENT)
        make_folder(user);
    else
        on_changed(result, user);
}

static void create(change *c)
{
    weir_zk_config *config = c->config;
    begun(c, weir_zk_create(config->zk, &c->op, c->slot->path, text_of(c), config->flags,
                            on_created, c));
}

static void set(change *c)
{
    if (c->version == WEIR_ZK_CONFIG_ABSENT)
        create(c);
    else
        begun(c, weir_zk_set(c->config->zk, &c->op, c->slot->path, text_of(c), c->version,
                             on_changed, c));
}

/* The program's side. */

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    end(user, WEIR_ETIMEDOUT, "no answer in the time allowed: it may have been done");
}

static weir_err check(const weir_zk_config *config, unsigned item, weir_str text, int32_t version,
                      weir_why *why)
{
    weir_why what;
    weir__zk_bits bits;
    if (item >= config->count || version < WEIR_ZK_CONFIG_ABSENT)
        return weir_why_set(why, WEIR_EINVAL, "there is no such item, or no such version");
    if (text.len > config->value_bytes || text.len > WEIR_ZK_DATA_MAX)
        return weir_why_set(why, WEIR_EMSGSIZE, "%.90s must not be longer than %zu bytes",
                            config->slots[item].path, config->value_bytes);
    weir_err err = weir__zk_value_read(config->slots[item].item, weir__zk_trim(text), &bits, &what);
    if (err)
        return weir_why_set(why, err == WEIR_ENOMEM ? err : WEIR_EINVAL, "%.90s %s",
                            config->slots[item].path, what.text);
    if (config->freed || config->change_count >= CHANGES)
        return weir_why_set(why, config->freed ? WEIR_ECLOSED : WEIR_EFULL,
                            "%d changes are under way: wait for one to end", CHANGES);
    return WEIR_OK;
}

weir_err weir_zk_config_set(weir_zk_config *config, unsigned item, weir_str text, int32_t version,
                            int64_t wait_us, weir_zk_config_fn fn, void *user, weir_why *why)
{
    weir_err err = check(config, item, text, version, why);
    if (err)
        return err;
    change *c = calloc(1, sizeof *c + text.len);
    if (!c)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    *c = (change){.config = config,
                  .slot = &config->slots[item],
                  .version = version,
                  .fn = fn,
                  .user = user,
                  .len = text.len};
    if (text.len > 0)
        memcpy(c->text, text.ptr, text.len);
    err =
        version == WEIR_ZK_CONFIG_ABSENT
            ? weir_zk_create(config->zk, &c->op, c->slot->path, text, config->flags, on_created, c)
            : weir_zk_set(config->zk, &c->op, c->slot->path, text, version, on_changed, c);
    if (err) {
        free(c);
        return weir_why_set(why, err, "%s", weir_err_text(err));
    }
    config->change_count++;
    weir_list_append(&config->changes, &c->node);
    if (wait_us != WEIR_TIME_NEVER_US)
        weir_loop_after(config->loop, &c->limit, wait_us, on_limit, c);
    return WEIR_OK;
}

void weir__zk_config_end_changes(weir_zk_config *config)
{
    while (!weir_list_empty(&config->changes))
        end(WEIR_CONTAINER_OF(config->changes.next, change, node), WEIR_ECANCELED,
            "the configuration was freed");
}

/* For another thread. */

typedef struct waiting {
    weir__zk_blocking head;
    weir_zk_config *config;
    unsigned item;
    weir_str text;
    int32_t version;
    weir_time deadline;
} waiting;

static void on_end(weir_err err, const char *why, void *user)
{
    weir__zk_blocking_end(user, err, why);
}

static void begin(weir__zk_blocking *b)
{
    waiting *w = WEIR_CONTAINER_OF(b, waiting, head);
    weir_why why = {""};
    weir_err err = weir_zk_config_set(w->config, w->item, w->text, w->version,
                                      weir__zk_left_us(w->deadline), on_end, b, &why);
    if (err)
        weir__zk_blocking_end(b, err, why.text);
}

weir_err weir_zk_config_set_until(weir_zk_config *config, unsigned item, weir_str text,
                                  int32_t version, weir_time deadline, weir_why *why)
{
    waiting w = {
        .config = config, .item = item, .text = text, .version = version, .deadline = deadline};
    return weir__zk_blocking_run(&w.head, config->loop, begin, why);
}
