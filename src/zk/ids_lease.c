/* Blocks of ids, leased from a counter in ZooKeeper. A lease is: read, then replace what was read
 * by what is left for others. What it took is ours only when ZooKeeper has said so; else it is
 * nobody's. */
#include "ids_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static weir_err read_counter(weir__zk_steps *s);

static weir_zk_ids *ids_of(weir__zk_steps *s)
{
    return WEIR_CONTAINER_OF(s, weir_zk_ids, steps);
}

/** For good. */
static void fail(weir_zk_ids *ids, weir_err err, const char *why)
{
    pthread_mutex_lock(&ids->lock);
    weir_why_set(&ids->why, err, "%s", why);
    ids->failed = err;
    ids->wanted = false;
    pthread_mutex_unlock(&ids->lock);
    weir_loop_defer(ids->loop, &ids->serve);
}

/** Of the steps. An ended session is no reason: another one follows. */
static void on_failed(weir__zk_steps *s, weir_err err, const char *why)
{
    weir_zk_ids *ids = ids_of(s);
    if (err == WEIR_ECLOSED && weir_zk_get_state(ids->zk) != WEIR_ZK_CLOSED)
        weir__zk_take_later(s, read_counter);
    else
        fail(ids, err, why);
}

static bool is_answer(weir_zk_ids *ids, const weir_zk_result *result)
{
    return weir__zk_answered(&ids->steps, result, read_counter);
}

/** In order: numbers only grow, so what is left of one block is used up before the next. */
static void on_leased(const weir_zk_result *result, void *user)
{
    weir_zk_ids *ids = user;
    if (!is_answer(ids, result))
        return;
    if (result->err) { /* another process was faster */
        weir__zk_take(&ids->steps, read_counter);
        return;
    }
    ids->low = ids->lease.end;
    pthread_mutex_lock(&ids->lock);
    if (weir__ids_left(ids->current) == 0)
        ids->current = ids->lease;
    else
        ids->spare = ids->lease;
    ids->wanted = false;
    bool more = weir__ids_wants_lease(ids);
    pthread_mutex_unlock(&ids->lock);
    weir_loop_defer(ids->loop, &ids->serve);
    if (more)
        weir__ids_lease(ids);
}

/** Decimal digits from 1 on. @return 0: it is not */
static int64_t number_of(weir_str text)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = text.ptr[i] - '0';
        if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
            return 0;
        number = number * 10 + digit;
    }
    return number;
}

static bool lease_from(weir_zk_ids *ids, int64_t first)
{
    if (first > INT64_MAX - (int64_t)ids->block) {
        fail(ids, WEIR_EFULL, "there are no more ids: the counter is at its end");
        return false;
    }
    ids->lease = (weir__ids_block){first, first + (int64_t)ids->block};
    snprintf(ids->text, sizeof ids->text, "%" PRId64, ids->lease.end);
    return true;
}

static void on_folder(const weir_zk_result *result, void *user)
{
    weir_zk_ids *ids = user;
    if (is_answer(ids, result))
        weir__zk_take(&ids->steps, read_counter);
}

static weir_err make_folder(weir__zk_steps *s)
{
    weir_zk_ids *ids = ids_of(s);
    char folder[WEIR_ZK_PATH_MAX + 1];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(ids->path, '/') - ids->path), ids->path);
    return weir_zk_make_path(ids->zk, &s->op, folder, ids->flags, on_folder, ids);
}

static void on_made(const weir_zk_result *result, void *user)
{
    weir_zk_ids *ids = user;
    if (result->err == WEIR_ENOENT && strrchr(ids->path, '/') != ids->path)
        weir__zk_take(&ids->steps, make_folder);
    else if (result->err == WEIR_ESTATE)
        fail(ids, result->err, result->why); /* below an ephemeral node */
    else
        on_leased(result, user);
}

/** There is no node: who makes it has the first block. */
static weir_err make_counter(weir__zk_steps *s)
{
    weir_zk_ids *ids = ids_of(s);
    return weir_zk_create(ids->zk, &s->op, ids->path, weir_str_from(ids->text), ids->flags, on_made,
                          ids);
}

static weir_err replace_counter(weir__zk_steps *s)
{
    weir_zk_ids *ids = ids_of(s);
    return weir_zk_set(ids->zk, &s->op, ids->path, weir_str_from(ids->text), ids->version,
                       on_leased, ids);
}

static bool is_credible(weir_zk_ids *ids, const weir_zk_result *result, int64_t first)
{
    char why[sizeof ids->why.text];
    if (first >= ids->low)
        return true;
    if (result->err)
        snprintf(why, sizeof why, "%.80s is gone: put it back with a number above all ids",
                 ids->path);
    else
        snprintf(why, sizeof why,
                 "%.80s holds \"%.24s\", which is not a number from %" PRId64
                 " on: put one there that is above all ids",
                 ids->path, result->data.ptr, ids->low);
    fail(ids, WEIR_EPROTO, why);
    return false;
}

static void on_counter(const weir_zk_result *result, void *user)
{
    weir_zk_ids *ids = user;
    if (!is_answer(ids, result))
        return;
    int64_t first = result->err ? 1 : number_of(result->data);
    if (!is_credible(ids, result, first) || !lease_from(ids, first))
        return;
    ids->low = first;
    ids->version = result->stat.version;
    weir__zk_take(&ids->steps, result->err ? make_counter : replace_counter);
}

static weir_err read_counter(weir__zk_steps *s)
{
    weir_zk_ids *ids = ids_of(s);
    return weir_zk_get(ids->zk, &s->op, ids->path, NULL, on_counter, ids);
}

void weir__ids_lease(weir_zk_ids *ids)
{
    weir__zk_take(&ids->steps, read_counter);
}

weir_err weir__ids_begin(weir_zk_ids *ids)
{
    ids->steps.zk = ids->zk;
    ids->steps.failed = on_failed;
    return weir__zk_begin(&ids->steps, read_counter);
}
