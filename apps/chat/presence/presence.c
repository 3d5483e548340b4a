#include "presence_impl.h"

#include <stdlib.h>
#include <string.h>

weir_err presence_open(presence **out, weir_loop *loop, const presence_opts *opts, weir_why *why)
{
    presence_opts filled = *opts;
    if (!opts->url || !opts->node || opts->node[0] == '\0' ||
        strlen(opts->node) > PRESENCE_MAX_NODE)
        return weir_why_set(why, WEIR_EINVAL,
                            "presence needs a URL, and a node's name of at most %d bytes",
                            PRESENCE_MAX_NODE);
    if (opts->ttl_us < 0 || opts->ttl_us > PRESENCE_KEEP_US)
        return weir_why_set(why, WEIR_EINVAL, "an entry of presence lives for 30 days at most");
    if (opts->ttl_us == 0)
        filled.ttl_us = PRESENCE_TTL_US;
    if (opts->max_users == 0)
        filled.max_users = PRESENCE_MAX_USERS;
    if (strcmp(opts->url, "local") == 0)
        return presence_local_open(out, loop, &filled);
    return presence_redis_open(out, loop, &filled, why);
}

/* Requests. */

presence_request *presence_request_new(void *owner, const uint64_t *ids, size_t count)
{
    presence_request *self =
        calloc(1, sizeof *self + count * (sizeof *ids + sizeof(presence_info)));
    if (!self)
        return NULL;
    self->owner = owner;
    self->count = count;
    self->infos = (presence_info *)(void *)(self->ids + count);
    if (count > 0)
        memcpy(self->ids, ids, count * sizeof *ids);
    return self;
}

void presence_request_end(presence_request *self, weir_err err)
{
    if (self->on_get)
        self->on_get(err, err ? NULL : self->infos, err ? 0 : self->count, self->user);
    else if (self->on_set)
        self->on_set(err, self->ids[0], self->before, self->after, self->user);
    free(self);
}

/* Answers. */

/** Those that come meanwhile are for the next time. An answer may close it. */
static void on_turn(weir_deferred *work)
{
    presence_answers *self = WEIR_CONTAINER_OF(work, presence_answers, turn);
    self->busy = true;
    for (size_t left = self->count; left > 0 && !self->closed; left--) {
        weir_list *link = weir_list_pop(&self->list);
        presence_request *request = WEIR_CONTAINER_OF(link, presence_request, link);
        self->count--;
        presence_request_end(request, request->err);
    }
    self->busy = false;
    if (self->closed)
        self->gone(self);
    else if (self->count > 0)
        weir_loop_defer(self->loop, &self->turn);
}

void presence_answers_init(presence_answers *self, weir_loop *loop,
                           void (*gone)(presence_answers *self))
{
    *self = (presence_answers){.loop = loop, .gone = gone, .turn.fn = on_turn};
    weir_list_init(&self->list);
}

void presence_answers_add(presence_answers *self, presence_request *request, weir_err err)
{
    request->err = err;
    weir_list_append(&self->list, &request->link);
    self->count++;
    weir_loop_defer(self->loop, &self->turn);
}

void presence_answers_close(presence_answers *self)
{
    self->closed = true;
    weir_loop_undefer(self->loop, &self->turn);
    for (weir_list *link; (link = weir_list_pop(&self->list));)
        presence_request_end(WEIR_CONTAINER_OF(link, presence_request, link), WEIR_ECANCELED);
    if (!self->busy)
        self->gone(self);
}
