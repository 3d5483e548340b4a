#include "lookup_test.h"
#include "naming_test.h"

struct setting {
    weir_loop *loop;
    struct name_server server;
    struct told told;
    weir_resolver *resolver;
    int fds;
};

static void set_up(struct setting *s)
{
    s->loop = new_loop();
    name_server_start(&s->server, s->loop);
    s->fds = open_fds();
    s->resolver = follow(&weir_resolver_dns, s->loop, s->server.text, "db.example:80", &s->told);
}

static void tear_down(struct setting *s)
{
    if (s->resolver)
        follow_no_more(s->resolver, &s->told);
    assert_int_equal(weir_loop_timers(s->loop)->pending, 0);
    assert_int_equal(open_fds(), s->fds);
    name_server_stop(&s->server);
    weir_loop_free(s->loop);
}

/** Until the earliest timer of the loop, which may wake before that (weir_timers_wait_us()). */
static int64_t next_timer_us(weir_loop *loop)
{
    weir_timers *timers = weir_loop_timers(loop);
    int64_t next_us = INT64_MAX;
    for (int slot = 0; slot < WEIR__TIMER_LEVELS * WEIR__TIMER_SLOTS; slot++) {
        weir_list *head = &timers->slots[slot / WEIR__TIMER_SLOTS][slot % WEIR__TIMER_SLOTS];
        weir_list_each (node, next, head) {
            int64_t us = weir_time_diff(WEIR_CONTAINER_OF(node, weir_timer, node)->when,
                                        weir_loop_now(loop));
            next_us = us < next_us ? us : next_us;
        }
    }
    return next_us;
}

static void refresh(struct setting *s)
{
    s->resolver->type->refresh(s->resolver);
}

TEST(resolver_dns, every_address_of_the_name_is_found)
{
    struct setting s = {.server = {.four = {.count = 2}, .six = {.count = 1}}};
    set_up(&s);
    run_until(s.loop, s.told.found == 1);
    assert_string_equal(s.server.name, "db.example.");
    assert_true(has_found(&s.told, "[fd00::1]:80,10.0.0.1:80,10.0.0.2:80") ||
                has_found(&s.told, "[fd00::1]:80,10.0.0.2:80,10.0.0.1:80"));
    tear_down(&s);
}

TEST(resolver_dns, it_is_asked_again_after_half_a_minute)
{
    struct setting s = {.server = {.four = {.count = 1}}};
    set_up(&s);
    run_until(s.loop, s.told.found == 1);
    int64_t next_us;
    run_until(s.loop, (next_us = next_timer_us(s.loop)) > WEIR_SECONDS(15));
    assert_in_range(next_us, WEIR_SECONDS(15), WEIR_SECONDS(30));
    tear_down(&s);
}

TEST(resolver_dns, a_refresh_asks_again_but_once_a_second_at_most)
{
    struct setting s = {.server = {.four = {.count = 1}}};
    weir_time from = weir_time_now();
    set_up(&s);
    run_until(s.loop, s.told.found == 1);
    s.server.four.count = 2;
    for (int i = 0; i < 100; i++)
        refresh(&s);
    run_until(s.loop, s.told.found == 2);
    assert_int_equal(weir_endpoints_count(s.told.list), 2);
    assert_true(weir_time_diff(weir_time_now(), from) > WEIR_MILLISECONDS(990));
    tear_down(&s);
}

TEST(resolver_dns, the_same_addresses_are_not_told_again)
{
    struct setting s = {.server = {.four = {.count = 3}}};
    set_up(&s);
    run_until(s.loop, s.told.found == 1);
    refresh(&s);
    run_until(s.loop, s.server.four.asked >= 2 && s.server.six.asked >= 2);
    /* The answer is there when the next one has been asked for. */
    run_until(s.loop, next_timer_us(s.loop) > WEIR_SECONDS(15));
    assert_int_equal(s.told.found, 1);
    tear_down(&s);
}

TEST(resolver_dns, a_name_that_vanishes_fails_and_is_found_when_it_is_back)
{
    struct setting s = {.server = {.four = {.count = 1}}};
    set_up(&s);
    run_until(s.loop, s.told.found == 1);
    s.server.four.manner = s.server.six.manner = NO_SUCH_NAME;
    refresh(&s);
    run_until(s.loop, s.told.failed == 1);
    assert_err(s.told.err, WEIR_ELOOKUP);
    assert_says(s.told.why, "db.example");
    s.server.four.manner = s.server.six.manner = ANSWERS;
    /* Without a refresh: what fails is asked again soon. */
    run_until(s.loop, s.told.found == 2);
    assert_true(has_found(&s.told, "10.0.0.1:80"));
    tear_down(&s);
}

TEST(resolver_dns, numbers_need_no_server_and_a_port_may_be_left_out)
{
    static const struct {
        const char *path, *found;
    } targets[] = {
        {"10.0.0.1", "10.0.0.1:443"}, {"10.0.0.1:50051", "10.0.0.1:50051"},
        {"::1", "[::1]:443"},         {"[::1]", "[::1]:443"},
        {"[::1]:80", "[::1]:80"},
    };
    weir_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct told told = {0};
        weir_resolver *r = follow(&weir_resolver_dns, loop, "", targets[i].path, &told);
        run_until(loop, told.found == 1);
        assert_true(has_found(&told, targets[i].found));
        follow_no_more(r, &told);
    }
    weir_loop_free(loop);
}

TEST(resolver_dns, may_be_freed_while_it_asks)
{
    struct setting s = {.server = {.four = {.manner = SILENT}, .six = {.manner = SILENT}}};
    set_up(&s);
    run_until(s.loop, s.server.four.asked > 0);
    tear_down(&s);
}

static void free_it(weir_endpoints *list WEIR_UNUSED, const char *config WEIR_UNUSED, void *user)
{
    weir_resolver **resolver = user;
    (*resolver)->type->free(*resolver);
    *resolver = NULL;
}

static void free_it_too(weir_err err WEIR_UNUSED, const char *why WEIR_UNUSED, void *user)
{
    free_it(NULL, NULL, user);
}

TEST(resolver_dns, may_be_freed_while_it_tells)
{
    static const weir_resolver_events events = {free_it, free_it_too};
    static const manner manners[] = {ANSWERS, NO_SUCH_NAME};
    for (size_t i = 0; i < 2; i++) {
        struct setting s = {
            .server = {.four = {manners[i], 1, NULL, 0}, .six = {manners[i], 0, NULL, 0}}};
        set_up(&s);
        follow_no_more(s.resolver, &s.told);
        weir_resolver_request r = {s.loop, "dns:x", s.server.text, "x:1", &events, &s.resolver};
        assert_ok(weir_resolver_dns.start(&s.resolver, &r, NULL));
        run_until(s.loop, !s.resolver);
        tear_down(&s);
    }
}

TEST(resolver_dns, targets_of_another_form_are_refused)
{
    static const char *const paths[] = {"", ":80", "a b:1", "a/b", "host:no-such-service-name"};
    weir_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        weir_resolver *resolver = NULL;
        weir_why why = {""};
        struct told told = {0};
        weir_resolver_request r = {loop, "dns:x", "", paths[i], &count_events, &told};
        assert_err(weir_resolver_dns.start(&resolver, &r, &why), WEIR_EINVAL);
        assert_true(why.text[0] != '\0');
        assert_null(resolver);
    }
    weir_loop_free(loop);
}
