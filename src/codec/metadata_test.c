#include "test.h"

#include "grpc_testing.h"

TEST(metadata, names_that_are_not_allowed_are_refused)
{
    static const char *const bad[] = {"",
                                      "Upper",
                                      "with space",
                                      "colon:",
                                      ":path",
                                      "a\n",
                                      "\xc3\xa4",
                                      "grpc-timeout",
                                      "grpc-anything",
                                      "content-type",
                                      "te",
                                      "user-agent",
                                      "host",
                                      "connection",
                                      "upgrade",
                                      "transfer-encoding",
                                      "keep-alive",
                                      "proxy-connection",
                                      "content-length"};
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(weir_metadata_add(&metadata, mem, weir_str_from(bad[i]), WEIR_STR("x")),
                   WEIR_EINVAL);
    assert_int_equal(metadata.len, 0);
    assert_ok(weir_metadata_add(&metadata, mem, WEIR_STR("grpc"), WEIR_STR("x")));
    assert_ok(weir_metadata_add(&metadata, mem, WEIR_STR("a-z_0.9"), WEIR_STR("x")));
    weir_arena_free(mem);
}

TEST(metadata, values_are_printable_unless_the_key_is_binary)
{
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata = {0};
    static const char *const bad[] = {"a\nb", "\x7f", "\xc3\xa4", "a\tb", "\x1f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir_str value = weir_str_from(bad[i]);
        assert_err(weir_metadata_add(&metadata, mem, WEIR_STR("x"), value), WEIR_EINVAL);
        assert_ok(weir_metadata_add(&metadata, mem, WEIR_STR("x-bin"), value));
    }
    assert_err(weir_metadata_add(&metadata, mem, WEIR_STR("x"), weir_str_of("\0", 1)), WEIR_EINVAL);
    assert_ok(weir_metadata_add(&metadata, mem, WEIR_STR("x"), WEIR_STR(" ~")));
    assert_ok(weir_metadata_add(&metadata, mem, WEIR_STR("x"), WEIR_STR("")));
    weir_arena_free(mem);
}

TEST(metadata, keys_may_repeat_and_keep_their_order)
{
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata = {0};
    for (int i = 0; i < 20; i++)
        assert_ok(weir_metadata_add(&metadata, mem, i % 2 ? WEIR_STR("odd") : WEIR_STR("even"),
                                    weir_arena_printf(mem, "%d", i)));
    assert_str(*weir_metadata_get(&metadata, WEIR_STR("odd")), "1");
    assert_int_equal(weir_metadata_remove(&metadata, WEIR_STR("even")), 10);
    for (size_t i = 0; i < 10; i++)
        assert_true(weir_str_eq(metadata.items[i].value, weir_arena_printf(mem, "%zu", 2 * i + 1)));
    assert_null(weir_metadata_get(&metadata, WEIR_STR("even")));
    weir_arena_free(mem);
}

/* On the wire. */

static char got[256];

static void write_down(weir_grpc_call *call, void *user)
{
    (void)user;
    const weir_metadata *metadata = weir_grpc_call_metadata(call);
    got[0] = '\0';
    for (size_t i = 0; i < metadata->len; i++) {
        size_t len = strlen(got);
        snprintf(got + len, sizeof got - len, "%.*s=%.*s;", WEIR_STR_ARGS(metadata->items[i].key),
                 WEIR_STR_ARGS(metadata->items[i].value));
    }
}

TEST(metadata, repeated_keys_and_empty_values_arrive_in_order)
{
    weir_grpc_ops watching = ops;
    watching.on_request = write_down;
    pair *p = pair_open(NULL, NULL);
    weir_grpc_free(p->server.grpc, "");
    assert_ok(weir_grpc_new(&p->server.grpc, WEIR_H2_SERVER, &watching, &p->server, p->server.pool,
                            &p->server.timers, NULL));
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata = {0};
    static const char *const entries[] = {"x",     "1", "y-bin", "\xff", "x", "2",
                                          "y-bin", "",  "z",     "",     "x", "1"};
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i += 2)
        assert_ok(weir_metadata_add(&metadata, mem, weir_str_from(entries[i]),
                                    weir_str_from(entries[i + 1])));
    start(p, weir_time_never(), &metadata);
    settle(p);
    assert_string_equal(got, "user-agent=test;x=1;y-bin=\xff;x=2;y-bin=;z=;x=1;");
    weir_arena_free(mem);
    pair_close(p);
}
