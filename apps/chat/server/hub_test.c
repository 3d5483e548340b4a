#include "hub.h"

#include <stdio.h>

#include "test.h"
#include "weir/chat/v1/chat.weir.h"

typedef struct notes {
    char text[256];
    hub *hub;
} notes;

static void on_changed(weir_str group, void *user)
{
    notes *self = user;
    size_t len = strlen(self->text);
    snprintf(self->text + len, sizeof self->text - len, "%.*s ", WEIR_STR_ARGS(group));
}

static void on_each(weir_call_id call, void *user)
{
    *(uint64_t *)user += call.value;
}

TEST(hub, members_are_counted_and_visited)
{
    hub *h;
    weir_loop *loop;
    atomic_ullong missed = 0;
    hub_member a = {.call = {1}, .missed = &missed}, b = {.call = {20}, .missed = &missed};
    hub_member c = {.call = {300}, .missed = &missed};
    uint64_t sum = 0;
    assert_ok(weir_loop_new(&loop, NULL));
    assert_ok(hub_new(&h, &(hub_opts){0}));
    assert_ok(hub_join(h, WEIR_STR("x"), &a, loop));
    assert_ok(hub_join(h, WEIR_STR("x"), &b, loop));
    assert_ok(hub_join(h, WEIR_STR("y"), &c, loop));
    assert_int_equal(hub_count(h, WEIR_STR("x")), 2);
    hub_each(h, WEIR_STR("x"), on_each, &sum);
    assert_int_equal(sum, 21);
    hub_each(h, WEIR_STR("nobody"), on_each, &sum);
    assert_int_equal(sum, 21);
    hub_leave(h, &a);
    hub_leave(h, &a); /* again is fine */
    assert_int_equal(hub_count(h, WEIR_STR("x")), 1);
    hub_leave(h, &b);
    hub_leave(h, &c);
    hub_free(h);
    weir_loop_free(loop);
}

TEST(hub, says_when_a_group_comes_and_goes)
{
    notes told = {.text = ""};
    weir_loop *loop;
    atomic_ullong missed = 0;
    hub_member a = {.missed = &missed}, b = {.missed = &missed};
    assert_ok(weir_loop_new(&loop, NULL));
    assert_ok(hub_new(&told.hub, &(hub_opts){.changed = on_changed, .user = &told}));
    assert_ok(hub_join(told.hub, WEIR_STR("g"), &a, loop));
    assert_ok(hub_join(told.hub, WEIR_STR("g"), &b, loop));
    assert_string_equal(told.text, "g ");
    hub_leave(told.hub, &a);
    assert_string_equal(told.text, "g ");
    hub_leave(told.hub, &b);
    assert_string_equal(told.text, "g g ");
    hub_free(told.hub);
    weir_loop_free(loop);
}

TEST(hub, a_call_that_is_gone_counts_as_nothing)
{
    hub *h;
    weir_loop *loop;
    weir_payload *payload;
    atomic_ullong missed = 0, pushed = 0, all_missed = 0;
    hub_member gone = {.call = {UINT64_C(0x123456789)}, .missed = &missed};
    chat_heads heads = {.missed = 1};
    assert_ok(weir_loop_new(&loop, NULL));
    assert_ok(hub_new(&h, &(hub_opts){.pushed = &pushed, .missed = &all_missed}));
    assert_ok(weir_payload_new(&payload, &chat_heads_descriptor, &heads));
    assert_ok(hub_join(h, WEIR_STR("g"), &gone, loop));
    hub_send(h, WEIR_STR("g"), payload);
    assert_ok(weir_loop_run_once(loop, 0));
    assert_int_equal(pushed + missed + all_missed, 0);
    weir_payload_unref(payload);
    hub_leave(h, &gone);
    hub_free(h);
    weir_loop_free(loop);
}

TEST(hub, a_group_may_end_and_begin_while_a_message_is_on_its_way)
{
    weir_loop *loop;
    weir_payload *payload;
    notes told = {.text = ""};
    atomic_ullong missed = 0;
    hub_member a = {.missed = &missed}, b = {.missed = &missed};
    chat_heads heads = {.missed = 1};
    assert_ok(weir_loop_new(&loop, NULL));
    assert_ok(hub_new(&told.hub, &(hub_opts){.changed = on_changed, .user = &told}));
    assert_ok(weir_payload_new(&payload, &chat_heads_descriptor, &heads));
    assert_ok(hub_join(told.hub, WEIR_STR("g"), &a, loop));
    hub_send(told.hub, WEIR_STR("g"), payload);
    hub_leave(told.hub, &a);
    assert_int_equal(hub_count(told.hub, WEIR_STR("g")), 0);
    assert_ok(hub_join(told.hub, WEIR_STR("g"), &b, loop));
    assert_string_equal(told.text, "g g g ");
    hub_send(told.hub, WEIR_STR("g"), payload);
    hub_leave(told.hub, &b);
    weir_payload_unref(payload);
    weir_loop_free(loop); /* what is on its way ends with it */
    assert_int_equal(hub_count(told.hub, WEIR_STR("g")), 0);
    hub_free(told.hub);
}
