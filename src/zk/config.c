/* A configuration that follows its nodes: each value has an operation of its own, either reading
 * the node or waiting for it to come. */
#include "config_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <weir/base/log.h>

enum {
    AGAIN_US = 1000000, /* before a failed read is repeated, and up to as much more */
    VALUE_BYTES = 65536
};

static void look(weir__zk_slot *s);

static unsigned index_of(const weir__zk_slot *s)
{
    return (unsigned)(s - s->config->slots);
}

static weir_str text_of(const weir__zk_slot *s)
{
    return s->text ? weir_str_of(s->text, s->len)
                   : weir__zk_trim(weir_str_from(weir__zk_fallback(s->item)));
}

/* Callbacks of the user, in which the configuration may be freed. */

static void destroy(weir_zk_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        free(config->slots[i].text);
        free(config->slots[i].path);
    }
    weir_latch_fini(&config->loaded);
    pthread_mutex_destroy(&config->lock);
    free(config);
}

/** @return false: it was freed */
static bool back(weir_zk_config *config)
{
    if (--config->busy > 0 || !config->freed)
        return !config->freed;
    destroy(config);
    return false;
}

static bool tell_changed(weir__zk_slot *s)
{
    weir_zk_config *config = s->config;
    if (!config->ops->changed)
        return true;
    config->busy++;
    config->ops->changed(config, index_of(s), config->user);
    return back(config);
}

/** @param zxid  what was rejected: told once */
static bool reject(weir__zk_slot *s, int64_t zxid, const char *why)
{
    weir_zk_config *config = s->config;
    if (s->rejected == zxid)
        return true;
    s->rejected = zxid;
    weir_str text = text_of(s);
    text.len = text.len < 60 ? text.len : 60;
    WEIR_LOG_WARN("%s; the value stays \"%.*s\"", why, WEIR_STR_ARGS(text));
    if (!config->ops->rejected)
        return true;
    config->busy++;
    config->ops->rejected(config, index_of(s), why, config->user);
    return back(config);
}

static void note_looked(weir__zk_slot *s)
{
    weir_zk_config *config = s->config;
    if (s->looked)
        return;
    s->looked = true;
    if (--config->missing > 0)
        return;
    weir_latch_down(&config->loaded);
    if (!config->ops->loaded)
        return;
    config->busy++;
    config->ops->loaded(config, config->user);
    back(config);
}

/* Values. */

static bool is_scalar(const weir__zk_slot *s)
{
    return s->item->type != WEIR_ZK_STRING && s->item->type != WEIR_ZK_JSON;
}

/** @param changed  whether a reader sees another value now; else as it was */
static weir_err put_value(weir__zk_slot *s, weir_str text, weir__zk_bits bits, bool *changed)
{
    char *copy = NULL, *old;
    if (weir_str_eq(text, text_of(s)))
        return WEIR_OK;
    if (!(copy = malloc(text.len + 1)))
        return WEIR_ENOMEM;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    pthread_mutex_lock(&s->config->lock);
    old = s->text;
    s->text = copy;
    s->len = text.len;
    pthread_mutex_unlock(&s->config->lock);
    free(old);
    *changed = !is_scalar(s) || atomic_load(&s->bits) != bits;
    atomic_store(&s->bits, bits);
    return WEIR_OK;
}

/** @return false: the configuration was freed */
static bool apply(weir__zk_slot *s, weir_str text, const weir_zk_stat *stat)
{
    weir_why what;
    char why[sizeof what.text + WEIR_ZK_PATH_MAX + 20];
    weir__zk_bits bits = 0;
    bool changed = false;
    weir_err err = WEIR_EMSGSIZE;
    text = weir__zk_trim(text);
    atomic_store(&s->version, stat->version);
    weir_why_set(&what, err, "must not be longer than %zu bytes", s->config->value_bytes);
    if (text.len <= s->config->value_bytes)
        err = weir__zk_value_read(s->item, text, &bits, &what);
    if (!err && (err = put_value(s, text, bits, &changed)))
        weir_why_set(&what, err, "does not fit into memory");
    if (err) {
        snprintf(why, sizeof why, "%s %s", s->path, what.text);
        return reject(s, stat->changed_zxid, why);
    }
    s->rejected = 0;
    return !changed || tell_changed(s);
}

static bool apply_default(weir__zk_slot *s)
{
    static const weir_zk_stat absent = {.version = WEIR_ZK_CONFIG_ABSENT, .changed_zxid = -2};
    return apply(s, weir_str_from(weir__zk_fallback(s->item)), &absent);
}

/* Following the nodes. */

static void on_later(weir_timer *timer WEIR_UNUSED, void *user)
{
    look(user);
}

static void look_later(weir__zk_slot *s)
{
    weir_loop_after(s->config->loop, &s->later, AGAIN_US + (int64_t)arc4random_uniform(AGAIN_US),
                    on_later, s);
}

/** It could not be read. When the session is back everything is read again. */
static void fail(weir__zk_slot *s, weir_err err, const char *why)
{
    if (weir_zk_get_state(s->config->zk) != WEIR_ZK_CONNECTED || err == WEIR_ECLOSED)
        return;
    look_later(s);
    if (err == WEIR_EACCES || err == WEIR_EINVAL)
        reject(s, -1, why);
}

static void ended(weir__zk_slot *s, bool again)
{
    if (again || s->again)
        look(s);
    else
        note_looked(s);
}

static void on_exists(const weir_zk_result *result, void *user)
{
    weir__zk_slot *s = user;
    if (result->err == WEIR_ENOENT) {
        if (apply_default(s))
            ended(s, false);
    } else if (result->err == WEIR_OK) {
        look(s); /* it has just been made */
    } else {
        fail(s, result->err, result->why);
    }
}

static void on_get(const weir_zk_result *result, void *user)
{
    weir__zk_slot *s = user;
    weir_err err = result->err;
    if (err == WEIR_ENOENT) {
        err = weir_zk_exists(s->config->zk, &s->op, s->path, &s->watch, on_exists, s);
        if (err)
            fail(s, err, weir_err_text(err));
    } else if (err == WEIR_OK) {
        if (apply(s, result->data, &result->stat))
            ended(s, false);
    } else {
        fail(s, err, result->why);
    }
}

static void look(weir__zk_slot *s)
{
    if (s->op.request) {
        s->again = true;
        return;
    }
    s->again = false;
    weir_loop_cancel(s->config->loop, &s->later);
    weir_err err = weir_zk_get(s->config->zk, &s->op, s->path, &s->watch, on_get, s);
    if (err)
        fail(s, err, weir_err_text(err));
}

static void on_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event, void *user)
{
    if (event != WEIR_ZK_GONE)
        look(user);
}

static void on_state(weir_zk *zk WEIR_UNUSED, weir_zk_state state, void *user)
{
    weir_zk_config *config = user;
    for (size_t i = 0; i < config->count && state == WEIR_ZK_CONNECTED; i++)
        look(&config->slots[i]);
}

/* Getters. */

static const weir__zk_slot *at(const weir_zk_config *config, unsigned item)
{
    if (item >= config->count)
        WEIR_BUG("item %u of a configuration with %zu: use the table's own indexes", item,
                 config->count);
    return &config->slots[item];
}

static const weir__zk_slot *slot_of(const weir_zk_config *config, unsigned item,
                                    weir_zk_config_type a, weir_zk_config_type b)
{
    const weir__zk_slot *s = at(config, item);
    if (s->item->type != a && s->item->type != b)
        WEIR_BUG("%s was read as another type than its item's: use that one's getter",
                 s->item->name);
    return s;
}

int64_t weir_zk_config_int64(const weir_zk_config *config, unsigned item)
{
    return (int64_t)atomic_load_explicit(
        &slot_of(config, item, WEIR_ZK_INT64, WEIR_ZK_DURATION)->bits, memory_order_relaxed);
}

double weir_zk_config_double(const weir_zk_config *config, unsigned item)
{
    return weir__zk_bits_double(atomic_load_explicit(
        &slot_of(config, item, WEIR_ZK_DOUBLE, WEIR_ZK_DOUBLE)->bits, memory_order_relaxed));
}

bool weir_zk_config_bool(const weir_zk_config *config, unsigned item)
{
    return atomic_load_explicit(&slot_of(config, item, WEIR_ZK_BOOL, WEIR_ZK_BOOL)->bits,
                                memory_order_relaxed) != 0;
}

size_t weir_zk_config_text(weir_zk_config *config, unsigned item, char *out, size_t size)
{
    const weir__zk_slot *s = at(config, item);
    pthread_mutex_lock(&config->lock);
    weir_str text = text_of(s);
    size_t fits = text.len < size ? text.len : size - (size > 0);
    if (fits > 0)
        memcpy(out, text.ptr, fits);
    pthread_mutex_unlock(&config->lock);
    if (size > 0)
        out[fits] = '\0';
    return text.len;
}

int32_t weir_zk_config_version(const weir_zk_config *config, unsigned item)
{
    return atomic_load(&at(config, item)->version);
}

weir_err weir_zk_config_wait_until(weir_zk_config *config, weir_time deadline)
{
    if (weir_loop_in_thread(config->loop))
        return WEIR_ESTATE;
    return weir_latch_wait_until(&config->loaded, deadline) ? WEIR_OK : WEIR_ETIMEDOUT;
}

/* Its life. */

static bool is_path(const char *path, size_t len)
{
    return len > 0 && path[0] == '/' && path[len - 1] != '/' && !strstr(path, "//") &&
           len <= WEIR_ZK_PATH_MAX;
}

static weir_err fill_slot(weir__zk_slot *s, const char *folder, weir_why *why)
{
    weir_why what;
    weir__zk_bits bits = 0;
    const char *text = weir__zk_fallback(s->item);
    weir_err err = weir__zk_value_read(s->item, weir_str_from(text), &bits, &what);
    if (err)
        return weir_why_set(why, err == WEIR_ENOMEM ? err : WEIR_EINVAL,
                            "the default \"%.60s\" of %.60s %.70s", text, s->item->name, what.text);
    size_t room = strlen(folder) + strlen(s->item->name) + 2;
    if (!(s->path = malloc(room)))
        return WEIR_ENOMEM;
    snprintf(s->path, room, "%s/%s", folder, s->item->name);
    if (!is_path(s->path, room - 1))
        return weir_why_set(why, WEIR_EINVAL, "%.150s is not the path of a node", s->path);
    atomic_init(&s->bits, bits);
    atomic_init(&s->version, WEIR_ZK_CONFIG_ABSENT);
    weir_zk_watch_init(&s->watch, on_watch, s);
    return WEIR_OK;
}

static weir_err fill(weir_zk_config *config, const char *folder, const weir_zk_config_item *items,
                     const weir_zk_config_opts *opts, weir_why *why)
{
    weir_err err = WEIR_OK;
    config->value_bytes = opts->value_bytes ? opts->value_bytes : VALUE_BYTES;
    config->flags = opts->flags;
    for (size_t i = 0; i < config->count && !err; i++) {
        config->slots[i].config = config;
        config->slots[i].item = &items[i];
        err = fill_slot(&config->slots[i], folder, why);
    }
    return err;
}

weir_err weir_zk_config_new(weir_zk_config **out, weir_zk *zk, const char *folder,
                            const weir_zk_config_item *items, size_t count,
                            const weir_zk_config_ops *ops, void *user,
                            const weir_zk_config_opts *opts, weir_why *why)
{
    static const weir_zk_config_opts defaults;
    static const weir_zk_config_ops nobody;
    if (count == 0 || count > WEIR_ZK_CONFIG_ITEMS)
        return weir_why_set(why, WEIR_EINVAL, "a configuration has from 1 to %d items",
                            WEIR_ZK_CONFIG_ITEMS);
    weir_zk_config *config = calloc(1, sizeof *config + count * sizeof *config->slots);
    if (!config)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    config->zk = zk;
    config->loop = weir_zk_loop(zk);
    config->ops = ops ? ops : &nobody;
    config->user = user;
    config->count = config->missing = count;
    weir_list_init(&config->changes);
    weir_latch_init(&config->loaded, 1);
    pthread_mutex_init(&config->lock, NULL);
    weir_err err = fill(config, folder, items, opts ? opts : &defaults, why);
    if (err) {
        destroy(config);
        return err;
    }
    weir_zk_listen(zk, &config->listener, on_state, config);
    on_state(zk, weir_zk_get_state(zk), config);
    *out = config;
    return WEIR_OK;
}

void weir_zk_config_free(weir_zk_config *config)
{
    if (!config || config->freed)
        return;
    config->freed = true;
    config->busy++;
    weir_zk_unlisten(&config->listener);
    for (size_t i = 0; i < config->count; i++) {
        weir__zk_slot *s = &config->slots[i];
        weir_zk_cancel(&s->op);
        weir_zk_unwatch(&s->watch);
        weir_loop_cancel(config->loop, &s->later);
    }
    weir__zk_config_end_changes(config);
    back(config);
}
