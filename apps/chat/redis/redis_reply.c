#include "redis_reply.h"

#include <stdlib.h>

/** Whether the current reply may take so much more. */
static bool spend(const redisReadTask *task, size_t bytes)
{
    redis_replies *self = task->privdata;
    if (bytes > self->budget)
        return false;
    self->budget -= bytes;
    return true;
}

static void *create_string(const redisReadTask *task, char *str, size_t len)
{
    const redis_replies *self = task->privdata;
    return spend(task, sizeof(redisReply) + len) ? self->builtins.createString(task, str, len)
                                                 : NULL;
}

/** Before there are any elements: a length alone must not take memory. */
static void *create_array(const redisReadTask *task, int elements)
{
    const redis_replies *self = task->privdata;
    if (elements < 0 || elements > REDIS_MAX_REPLY / (int)sizeof(redisReply) ||
        !spend(task, sizeof(redisReply) + (size_t)elements * sizeof(redisReply *)))
        return NULL;
    return self->builtins.createArray(task, elements);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    const redis_replies *self = task->privdata;
    return spend(task, sizeof(redisReply)) ? self->builtins.createInteger(task, value) : NULL;
}

static void *create_nil(const redisReadTask *task)
{
    const redis_replies *self = task->privdata;
    return spend(task, sizeof(redisReply)) ? self->builtins.createNil(task) : NULL;
}

weir_err redis_replies_init(redis_replies *self)
{
    redisReader *reader = redisReaderCreate();
    if (!reader)
        return WEIR_ENOMEM;
    self->reader = reader;
    self->builtins = *reader->fn;
    self->fns = (redisReplyObjectFunctions){create_string, create_array, create_integer, create_nil,
                                            self->builtins.freeObject};
    self->budget = REDIS_MAX_REPLY;
    reader->fn = &self->fns;
    reader->privdata = self;
    return WEIR_OK;
}

void redis_replies_fini(redis_replies *self)
{
    if (self->reader)
        redisReaderFree(self->reader);
    self->reader = NULL;
}

weir_err redis_replies_feed(redis_replies *self, weir_str bytes)
{
    return redisReaderFeed(self->reader, bytes.ptr, bytes.len) == REDIS_OK ? WEIR_OK : WEIR_ENOMEM;
}

weir_err redis_replies_next(redis_replies *self, redisReply **out)
{
    void *reply = NULL;
    if (redisReaderGetReply(self->reader, &reply) != REDIS_OK)
        return WEIR_EPROTO;
    /* What is not whole yet lies in the reader's buffer. */
    if (!reply && self->reader->len - self->reader->pos > REDIS_MAX_REPLY)
        return WEIR_EPROTO;
    if (reply)
        self->budget = REDIS_MAX_REPLY;
    *out = reply;
    return WEIR_OK;
}

weir_str redis_reply_text(const redisReply *reply)
{
    if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS &&
                   reply->type != REDIS_REPLY_ERROR))
        return weir_str_of(NULL, 0);
    return weir_str_of(reply->str, reply->len);
}

bool redis_reply_is(const redisReply *reply, const char *text)
{
    return reply && reply->type != REDIS_REPLY_ERROR &&
           weir_str_eq(redis_reply_text(reply), weir_str_from(text));
}

const redisReply *redis_reply_at(const redisReply *reply, size_t index)
{
    if (!reply || reply->type != REDIS_REPLY_ARRAY || index >= reply->elements)
        return NULL;
    return reply->element[index];
}

weir_err redis_command(char **out, size_t *len, const weir_str *args, size_t count)
{
    const char *few[8] = {NULL}, **argv = few;
    size_t few_lens[8] = {0}, *lens = few_lens;
    if (count > 8) {
        argv = malloc(count * (sizeof *argv + sizeof *lens));
        if (!argv)
            return WEIR_ENOMEM;
        lens = (size_t *)(void *)(argv + count);
    }
    for (size_t i = 0; i < count; i++) {
        argv[i] = args[i].ptr ? args[i].ptr : "";
        lens[i] = args[i].len;
    }
    int written = redisFormatCommandArgv(out, (int)count, argv, lens);
    if (argv != few)
        free((void *)argv);
    if (written < 0)
        return WEIR_ENOMEM;
    *len = (size_t)written;
    return WEIR_OK;
}
