#include "redis_reply.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static void feed(redis_replies *r, const char *text)
{
    assert_ok(redis_replies_feed(r, weir_str_from(text)));
}

/** Reads all of the text. @return what comes of it; a reply is freed */
static weir_err outcome_of(const char *text)
{
    redis_replies r = {0};
    redisReply *reply = NULL;
    assert_ok(redis_replies_init(&r));
    feed(&r, text);
    weir_err err = redis_replies_next(&r, &reply);
    if (reply)
        freeReplyObject(reply);
    redis_replies_fini(&r);
    return err;
}

TEST(redis_reply, a_reply_may_come_byte_by_byte)
{
    const char *text = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n";
    redis_replies r = {0};
    redisReply *reply = NULL;
    assert_ok(redis_replies_init(&r));
    for (size_t i = 0; text[i]; i++) {
        assert_null(reply);
        assert_ok(redis_replies_feed(&r, weir_str_of(text + i, 1)));
        assert_ok(redis_replies_next(&r, &reply));
    }
    assert_non_null(reply);
    assert_true(redis_reply_is(redis_reply_at(reply, 0), "message"));
    assert_str(redis_reply_text(redis_reply_at(reply, 1)), "c");
    assert_int_equal(redis_reply_at(reply, 2)->type, REDIS_REPLY_NIL);
    assert_null(redis_reply_at(reply, 3));
    assert_null(redis_reply_at(redis_reply_at(reply, 0), 0));
    freeReplyObject(reply);
    redis_replies_fini(&r);
}

TEST(redis_reply, an_error_is_no_status)
{
    redis_replies r = {0};
    redisReply *reply = NULL;
    assert_ok(redis_replies_init(&r));
    feed(&r, "-PONG\r\n:12\r\n");
    assert_ok(redis_replies_next(&r, &reply));
    assert_false(redis_reply_is(reply, "PONG"));
    assert_str(redis_reply_text(reply), "PONG");
    freeReplyObject(reply);
    assert_ok(redis_replies_next(&r, &reply));
    assert_int_equal(reply->integer, 12);
    assert_int_equal(redis_reply_text(reply).len, 0);
    freeReplyObject(reply);
    redis_replies_fini(&r);
}

TEST(redis_reply, what_is_no_redis_is_refused)
{
    assert_err(outcome_of("HTTP/1.1 400 Bad Request\r\n"), WEIR_EPROTO);
    assert_err(outcome_of("SSH-2.0-OpenSSH_9.2\r\n"), WEIR_EPROTO);
    assert_err(outcome_of("%2\r\n"), WEIR_EPROTO);
    assert_err(outcome_of(":12x\r\n"), WEIR_EPROTO);
    assert_err(outcome_of("$-7\r\n"), WEIR_EPROTO);
    assert_err(outcome_of("*-7\r\n"), WEIR_EPROTO);
    assert_err(outcome_of("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
               WEIR_EPROTO);
}

TEST(redis_reply, a_length_alone_takes_no_memory)
{
    assert_err(outcome_of("*1000000\r\n"), WEIR_EPROTO);
    assert_err(outcome_of("*2147483647\r\n"), WEIR_EPROTO);
    assert_err(outcome_of("*4294967297\r\n"), WEIR_EPROTO);
    assert_err(outcome_of("*2\r\n*500000\r\n"), WEIR_OK); /* within the bound, and not whole */
}

TEST(redis_reply, the_parts_of_a_reply_count_together)
{
    enum {
        PART = 1 << 20
    };
    char *part = malloc(PART + 20);
    redis_replies r = {0};
    redisReply *reply = NULL;
    weir_err err = WEIR_OK;
    int parts = 0;
    assert_non_null(part);
    int head = sprintf(part, "$%d\r\n", PART);
    memset(part + head, 'x', PART);
    memcpy(part + head + PART, "\r\n", 2);
    assert_ok(redis_replies_init(&r));
    feed(&r, "*100\r\n");
    for (; !err && parts < 100; parts++) {
        assert_ok(redis_replies_feed(&r, weir_str_of(part, (size_t)head + PART + 2)));
        err = redis_replies_next(&r, &reply);
        assert_null(reply);
    }
    assert_err(err, WEIR_EPROTO);
    assert_in_range(parts, 30, 32);
    redis_replies_fini(&r);
    free(part);
}

TEST(redis_reply, a_string_without_an_end_is_refused_at_the_bound)
{
    enum {
        PART = 1 << 20
    };
    char *part = calloc(1, PART);
    redis_replies r = {0};
    redisReply *reply = NULL;
    weir_err err = WEIR_OK;
    int parts = 0;
    assert_non_null(part);
    assert_ok(redis_replies_init(&r));
    feed(&r, "$500000000\r\n");
    for (; !err && parts < 100; parts++) {
        assert_ok(redis_replies_feed(&r, weir_str_of(part, PART)));
        err = redis_replies_next(&r, &reply);
    }
    assert_err(err, WEIR_EPROTO);
    assert_in_range(parts, 32, 33);
    redis_replies_fini(&r);
    free(part);
}

TEST(redis_reply, a_command_holds_any_bytes)
{
    const weir_str args[] = {WEIR_STR("SET"), weir_str_of(NULL, 0), WEIR_STR("\0\r\n")};
    weir_str many[100];
    char *out;
    size_t len;
    assert_ok(redis_command(&out, &len, args, 3));
    assert_str(weir_str_of(out, len), "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\n\0\r\n\r\n");
    redisFreeCommand(out);
    for (size_t i = 0; i < 100; i++)
        many[i] = WEIR_STR("x");
    assert_ok(redis_command(&out, &len, many, 100));
    assert_int_equal(len, 6 + 100 * 7);
    redisFreeCommand(out);
}
