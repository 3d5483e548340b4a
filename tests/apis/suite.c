/* The scenarios, for every client with every server. */
#include "suite.h"

#include <stdio.h>

#include "call_impl.h"

static const client_driver *const clients[] = {&client_callback, &client_async, &client_blocking,
                                               &client_queue};
static const server_driver *const servers[] = {&server_callback, &server_blocking, &server_queue};

enum {
    CLIENTS = sizeof clients / sizeof *clients,
    SERVERS = sizeof servers / sizeof *servers
};

const weir_status told_to_fail = {WEIR_STATUS_ABORTED,
                                  {FAIL_TEXT, sizeof FAIL_TEXT - 1},
                                  {FAIL_DETAILS, sizeof FAIL_DETAILS - 1}};

/* For drivers. */

size_t plan_messages(const plan *p)
{
    return p->count * (p->copies ? p->copies : 1);
}

text plan_message(const plan *p, size_t n, weir_arena *mem)
{
    const char *word = p->messages[n % p->count];
    size_t len = strlen(word);
    char *bytes = weir_arena_zalloc(mem, len + p->padding + 1);
    memcpy(bytes, word, len);
    memset(bytes + len, '.', p->padding);
    return (text){.text = weir_str_of(bytes, len + p->padding)};
}

weir_call_opts plan_opts(const plan *p, weir_arena *mem, weir_metadata *metadata)
{
    *metadata = (weir_metadata){0};
    if (p->bin)
        assert_ok(weir_metadata_add(metadata, mem, WEIR_STR("x-bin"), weir_str_from(p->bin)));
    return (weir_call_opts){.timeout_us = p->timeout_us, .metadata = metadata};
}

void note_message(outcome *out, const text *message)
{
    size_t len = strlen(out->joined);
    out->count++;
    out->bytes += message->text.len;
    snprintf(out->joined + len, sizeof out->joined - len, "%.*s",
             message->text.len < 100 ? (int)message->text.len : 100,
             message->text.ptr ? message->text.ptr : "");
}

void note_status(outcome *out, const weir_status *status)
{
    out->code = status->code;
    snprintf(out->text, sizeof out->text, "%.*s", WEIR_STR_ARGS(status->message));
    out->details_len = status->details.len < sizeof out->details ? status->details.len : 0;
    if (out->details_len)
        memcpy(out->details, status->details.ptr, out->details_len);
}

void note_bin(char to[50], const weir_metadata *from)
{
    const weir_str *value = from ? weir_metadata_get(from, WEIR_STR("x-bin")) : NULL;
    if (value)
        snprintf(to, 50, "%.*s", WEIR_STR_ARGS(*value));
}

void drop_connection(weir_call *call, void *unused WEIR_UNUSED)
{
    if (call)
        weir_conn_abort(call->link->conn, WEIR_ECONNRESET);
}

/* The scenarios */

typedef struct setting {
    const client_driver *client;
    weir_channel *channel;
} setting;

static outcome run(const setting *s, plan p)
{
    outcome out = {.code = (weir_status_code)-1};
    s->client->run(s->channel, &p, &out);
    return out;
}

#define PLAN(kind, ...)                                                                            \
    .method = kind, .messages = (const char *const[]){__VA_ARGS__},                                \
    .count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

static void expect(const outcome *out, size_t count, const char *joined)
{
    assert_string_equal(out->text, "");
    assert_int_equal(out->code, WEIR_STATUS_OK);
    assert_int_equal(out->count, count);
    assert_string_equal(out->joined, joined);
}

static void four_kinds(const setting *s)
{
    outcome out = run(s, (plan){PLAN(UNARY, "ann")});
    expect(&out, 1, "hello ann");
    out = run(s, (plan){PLAN(COLLECT, "a", "b", "c")});
    expect(&out, 1, "abc");
    out = run(s, (plan){PLAN(SPLIT, "xyz")});
    expect(&out, 3, "xyz");
    out = run(s, (plan){PLAN(CHAT, "one", "two", "three")});
    expect(&out, 3, "onetwothree");
}

static void empty_streams(const setting *s)
{
    outcome out = run(s, (plan){.method = COLLECT});
    expect(&out, 1, "");
    out = run(s, (plan){.method = CHAT});
    expect(&out, 0, "");
    out = run(s, (plan){PLAN(SPLIT, "")});
    expect(&out, 0, "");
}

static void expect_failure(const outcome *out)
{
    assert_int_equal(out->code, WEIR_STATUS_ABORTED);
    assert_string_equal(out->text, FAIL_TEXT);
    assert_int_equal(out->details_len, sizeof FAIL_DETAILS - 1);
    assert_memory_equal(out->details, FAIL_DETAILS, out->details_len);
}

static void failures(const setting *s)
{
    for (int method = UNARY; method <= CHAT; method++) {
        outcome out = run(s, (plan){PLAN(method, "fail")});
        expect_failure(&out);
        assert_int_equal(out.count, 0);
    }
    outcome out = run(s, (plan){PLAN(CHAT, "one", "fail")});
    expect_failure(&out);
    assert_int_equal(out.count, 1);
}

static void metadata(const setting *s)
{
    for (int method = UNARY; method <= CHAT; method++) {
        outcome out = run(s, (plan){PLAN(method, "x"), .bin = "\x01\x7f\xff"});
        assert_int_equal(out.code, WEIR_STATUS_OK);
        assert_string_equal(out.header, "\x01\x7f\xff");
        assert_string_equal(out.trailer, "\x01\x7f\xff");
    }
}

static void deadlines(const setting *s)
{
    for (int method = UNARY; method <= CHAT; method++) {
        outcome out = run(s, (plan){PLAN(method, "hang"), .timeout_us = WEIR_MILLISECONDS(30)});
        assert_int_equal(out.code, WEIR_STATUS_DEADLINE_EXCEEDED);
    }
}

static void cancellation(const setting *s)
{
    for (int method = COLLECT; method <= CHAT; method++) {
        outcome out = run(s, (plan){PLAN(method, "hang"), .cancel = true});
        assert_int_equal(out.code, WEIR_STATUS_CANCELLED);
    }
    outcome out = run(s, (plan){PLAN(CHAT, "one", "hang"), .cancel = true});
    assert_int_equal(out.code, WEIR_STATUS_CANCELLED);
}

static void cancellation_by_the_server(const setting *s)
{
    for (int method = UNARY; method <= CHAT; method++) {
        outcome out = run(s, (plan){PLAN(method, "cancel")});
        assert_int_equal(out.code, WEIR_STATUS_CANCELLED);
    }
}

static void dropped_connections(const setting *s)
{
    for (int method = UNARY; method <= CHAT; method++) {
        outcome out = run(s, (plan){PLAN(method, "drop")});
        assert_int_equal(out.code, WEIR_STATUS_UNAVAILABLE);
        out = run(s, (plan){PLAN(UNARY, "again")});
        expect(&out, 1, "hello again");
    }
}

static void large_messages(const setting *s)
{
    outcome out = run(s, (plan){PLAN(UNARY, "x"), .padding = 1 << 20});
    assert_int_equal(out.code, WEIR_STATUS_OK);
    assert_int_equal(out.bytes, 6 + 1 + (1 << 20));
    out = run(s, (plan){PLAN(CHAT, "x"), .padding = LARGE, .copies = MANY});
    assert_int_equal(out.code, WEIR_STATUS_OK);
    assert_int_equal(out.count, MANY);
    assert_int_equal(out.bytes, MANY * (LARGE + 1));
    out = run(s, (plan){PLAN(COLLECT, "x"), .padding = LARGE, .copies = MANY});
    assert_int_equal(out.code, WEIR_STATUS_OK);
    assert_int_equal(out.bytes, MANY * (LARGE + 1));
}

static void many_messages(const setting *s)
{
    outcome out = run(s, (plan){PLAN(CHAT, "ping"), .copies = MOST_MESSAGES});
    assert_int_equal(out.code, WEIR_STATUS_OK);
    assert_int_equal(out.count, MOST_MESSAGES);
    out = run(s, (plan){PLAN(SPLIT, "many"), .slow = true});
    assert_int_equal(out.code, WEIR_STATUS_OK);
    assert_int_equal(out.count, MANY);
    assert_int_equal(out.bytes, MANY * LARGE);
}

static void unknown_methods(const setting *s)
{
    outcome out = run(s, (plan){PLAN(MISSING, "x")});
    assert_int_equal(out.code, WEIR_STATUS_UNIMPLEMENTED);
}

static void with_all(void (*scenario)(const setting *s))
{
    for (int i = 0; i < SERVERS; i++) {
        server_run server = {0};
        servers[i]->start(&server);
        for (int j = 0; j < CLIENTS; j++) {
            print_message("             %s client, %s server\n", clients[j]->name,
                          servers[i]->name);
            setting s = {clients[j], weir_channel_new(server.server.addr, NULL)};
            assert_non_null(s.channel);
            scenario(&s);
            weir_channel_free(s.channel);
        }
        servers[i]->stop(&server);
    }
}

#define SCENARIO(name)                                                                             \
    TEST(apis, name)                                                                               \
    {                                                                                              \
        with_all(name);                                                                            \
    }

SCENARIO(four_kinds)
SCENARIO(empty_streams)
SCENARIO(failures)
SCENARIO(metadata)
SCENARIO(deadlines)
SCENARIO(cancellation)
SCENARIO(cancellation_by_the_server)
SCENARIO(dropped_connections)
SCENARIO(large_messages)
SCENARIO(many_messages)
SCENARIO(unknown_methods)
