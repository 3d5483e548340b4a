/* Unary calls: metadata of the reply, and the cancellation of blocking ones. */
#include "test.h"

#include <pthread.h>

#include "rpc_fixture.h"
#include "rpc_outcome.h"

/** "wait" is never answered; the server says that it has come, and that it is gone. */
typedef struct waiting {
    weir_latch came, gone;
} waiting;

static void answer(weir_call *call, const text *request, void *user)
{
    if (weir_str_eq(request->text, WEIR_STR("wait"))) {
        weir_latch_down(&((waiting *)user)->came);
        return;
    }
    assert_ok(weir_call_add_header(call, WEIR_STR("h"), WEIR_STR("first")));
    assert_ok(weir_call_add_trailer(call, WEIR_STR("t"), WEIR_STR("last")));
    assert_ok(weir_call_reply(call, request));
}

static void on_closed(weir_call *call WEIR_UNUSED, const weir_status *why, void *user)
{
    if (why->code != WEIR_STATUS_OK)
        weir_latch_down(&((waiting *)user)->gone);
}

static const test_handler methods[METHODS] = {[UNARY] = {.open = answer, .closed = on_closed}};

static void open_fixture(rpc_fixture *f, waiting *w)
{
    weir_latch_init(&w->came, 1);
    weir_latch_init(&w->gone, 1);
    rpc_fixture_open(f, methods, w, NULL, 0, NULL, 0);
}

static void close_fixture(rpc_fixture *f, waiting *w)
{
    rpc_fixture_close(f);
    weir_latch_fini(&w->came);
    weir_latch_fini(&w->gone);
}

static weir_status_code ask(rpc_fixture *f, const char *request, weir_cancellation *cancellation)
{
    text *reply;
    return rpc_fixture_ask(f, UNARY, request, &(weir_call_opts){.cancellation = cancellation},
                           &reply)
        .code;
}

/* Another thread, which cancels once the server has the call. */

typedef struct canceller {
    waiting *waiting;
    weir_cancellation *cancellation;
    rpc_fixture *fixture;
    weir_status_code busy; /* of a call that wanted the same cancellation */
} canceller;

static void *cancel_when_it_came(void *user)
{
    canceller *c = user;
    weir_latch_wait(&c->waiting->came);
    rpc_fixture own = {.channel = c->fixture->channel, .mem = weir_arena_new()};
    c->busy = ask(&own, "x", c->cancellation);
    weir_arena_free(own.mem);
    assert_ok(weir_cancellation_cancel(c->cancellation));
    return NULL;
}

TEST(unary, a_call_is_cancelled_from_another_thread)
{
    rpc_fixture f;
    waiting w;
    open_fixture(&f, &w);
    canceller c = {&w, weir_cancellation_new(), &f, WEIR_STATUS_OK};
    pthread_t thread;
    assert_non_null(c.cancellation);
    assert_int_equal(ask(&f, "before", c.cancellation), WEIR_STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_it_came, &c), 0);
    assert_int_equal(ask(&f, "wait", c.cancellation), WEIR_STATUS_CANCELLED);
    weir_latch_wait(&w.gone);
    pthread_join(thread, NULL);
    assert_int_equal(c.busy, WEIR_STATUS_FAILED_PRECONDITION);
    weir_cancellation_free(c.cancellation);
    close_fixture(&f, &w);
}

TEST(unary, a_call_that_was_cancelled_before_never_begins)
{
    rpc_fixture f;
    waiting w;
    open_fixture(&f, &w);
    weir_cancellation *cancellation = weir_cancellation_new();
    assert_false(weir_cancellation_is_cancelled(cancellation));
    assert_ok(weir_cancellation_cancel(cancellation));
    assert_ok(weir_cancellation_cancel(cancellation));
    assert_true(weir_cancellation_is_cancelled(cancellation));
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask(&f, "wait", cancellation), WEIR_STATUS_CANCELLED);
    weir_server_stats stats;
    weir_server_get_stats(f.server.server, &stats);
    assert_int_equal(stats.calls_total, 0);
    weir_cancellation_free(cancellation);
    close_fixture(&f, &w);
}

/* Metadata of the reply. */

static void expect_metadata(const weir_metadata *headers, const weir_metadata *trailers)
{
    assert_str(*weir_metadata_get(headers, WEIR_STR("h")), "first");
    assert_str(*weir_metadata_get(trailers, WEIR_STR("t")), "last");
}

TEST(unary, a_blocking_call_gets_the_servers_metadata)
{
    rpc_fixture f;
    waiting w;
    open_fixture(&f, &w);
    weir_metadata headers = {0}, trailers = {0};
    weir_call_opts opts = {.reply_headers = &headers, .reply_trailers = &trailers};
    rpc_fixture_expect(&f, "x", &opts, "x");
    expect_metadata(&headers, &trailers);
    close_fixture(&f, &w);
}

typedef struct asked {
    weir_metadata headers, trailers;
    weir_latch done;
} asked;

static void on_done(const weir_status *status, const text *reply WEIR_UNUSED, void *user)
{
    asked *a = user;
    assert_int_equal(status->code, WEIR_STATUS_OK);
    expect_metadata(&a->headers, &a->trailers);
    weir_latch_down(&a->done);
}

TEST(unary, an_asynchronous_call_gets_the_servers_metadata)
{
    rpc_fixture f;
    waiting w;
    open_fixture(&f, &w);
    asked a = {.headers = {0}};
    weir_latch_init(&a.done, 1);
    weir_call_opts opts = {.reply_headers = &a.headers, .reply_trailers = &a.trailers};
    assert_ok(weir_unary_start(f.channel, &test_methods[UNARY], &(text){0}, rpc_outcome_thunk,
                               (weir_fn)on_done, &a, &opts));
    weir_latch_wait(&a.done);
    weir_latch_fini(&a.done);
    close_fixture(&f, &w);
}
