/* What the chat reads from outside by parsers of its own: tokens, URLs of databases and of Redis,
 * and what Redis says. Nobody can make a token without the secret; what a URL's parts hold is what
 * their headers promise; replies are the same however the stream is cut. */
#include <stdlib.h>
#include <string.h>

#include "db_mariadb_url.h"
#include "redis_reply.h"
#include "redis_url.h"
#include "token.h"

enum {
    NOW = 1000000,
    TEXT_MAX = 2048
};

static const unsigned char SECRET[32] = "a secret that all nodes share..";

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* The seed is the only token with this secret. */
static void token(weir_str text)
{
    caller who;
    if (!token_read(text, SECRET, NOW, &who))
        return;
    check(who.id == UINT64_C(0x7123456789abcdef) && who.generation == 3);
    check(strcmp(who.name, "ann") == 0);
}

static void urls(const char *text)
{
    db_mariadb_url url;
    redis_url redis;
    weir_why why = {""};
    if (db_mariadb_url_parse(&url, text, &why) == WEIR_OK) {
        check(url.user[0] && url.database[0] && url.port >= 1 && url.port <= 65535);
        check(!url.host[0] != !url.socket[0]);
        check(memchr(url.password, 0, sizeof url.password) && memchr(url.host, 0, sizeof url.host));
    } else {
        check(why.text[0] != '\0');
    }
    if (redis_url_parse(&redis, text, &why) == WEIR_OK)
        check(redis.target[0] && memchr(redis.password, 0, sizeof redis.password));
}

/** A number that tells replies apart; walks through all of them. */
static uint64_t digest(uint64_t sum, const redisReply *reply)
{
    sum = sum * 31 + (uint64_t)reply->type;
    if (reply->type == REDIS_REPLY_INTEGER)
        sum = sum * 31 + (uint64_t)reply->integer;
    weir_str text = redis_reply_text(reply);
    for (size_t i = 0; i < text.len; i++)
        sum = sum * 31 + (unsigned char)text.ptr[i];
    const redisReply *element;
    for (size_t i = 0; (element = redis_reply_at(reply, i)); i++)
        sum = digest(sum, element);
    return sum;
}

/** @param piece  how many bytes arrive at a time */
static uint64_t replies(weir_str bytes, size_t piece)
{
    redis_replies reader;
    redisReply *reply;
    uint64_t sum = 1;
    weir_err err = redis_replies_init(&reader);
    for (size_t at = 0; !err && at < bytes.len; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;
        err = redis_replies_feed(&reader, weir_str_of(bytes.ptr + at, len));
        while (!err && !(err = redis_replies_next(&reader, &reply)) && reply) {
            sum = digest(sum, reply);
            freeReplyObject(reply);
        }
    }
    redis_replies_fini(&reader);
    return sum * 31 + (uint64_t)err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX];
    const weir_str bytes = weir_str_of(data, size);
    size_t len = size < sizeof text ? size : sizeof text - 1;
    if (len)
        memcpy(text, data, len);
    text[len] = '\0';
    token(bytes);
    urls(text);
    check(replies(bytes, size + 1) == replies(bytes, 1 + (size ? data[0] % 7 : 0)));
    return 0;
}
