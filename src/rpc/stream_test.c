/* Blocking streams: limits in time, writing without waiting, and what they refuse. */
#include "test.h"

#include <pthread.h>

#include "rpc_fixture.h"

/* Chat echoes; Split sends nothing before the client is gone. */

static void echo(weir_call *call, const text *message, void *user WEIR_UNUSED)
{
    if (weir_call_send(call, message))
        weir_call_pause(call); /* for ever: what the client writes piles up at its end */
}

static void echo_end(weir_call *call, void *user WEIR_UNUSED)
{
    weir_call_finish(call);
}

/** Never reads. */
static void deaf(weir_call *call, const text *request WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_call_pause(call);
}

static void silent(weir_call *call WEIR_UNUSED, const text *request WEIR_UNUSED,
                   void *user WEIR_UNUSED)
{
}

static const test_handler methods[METHODS] = {
    [COLLECT] = {.open = deaf},
    [SPLIT] = {.open = silent},
    [CHAT] = {.message = echo, .half_closed = echo_end},
};

static void open_fixture(rpc_fixture *f, const weir_channel_opts *opts)
{
    test_server_open(&f->server, methods, NULL, NULL);
    f->channel = weir_channel_new(f->server.addr, opts);
    f->mem = weir_arena_new();
    assert_non_null(f->channel);
    assert_non_null(f->mem);
}

static weir_stream *open_stream(const rpc_fixture *f, int method)
{
    weir_stream *stream;
    text request = {0};
    assert_ok(weir_stream_open(&stream, f->channel, &test_methods[method],
                               method == SPLIT ? &request : NULL, NULL));
    return stream;
}

static weir_time soon(void)
{
    return weir_time_add(weir_time_now(), WEIR_MILLISECONDS(20));
}

static weir_status_code finish(const rpc_fixture *f, weir_stream *stream)
{
    return weir_stream_finish(stream, f->mem).code;
}

TEST(stream, a_read_waits_no_longer_than_it_may_and_the_stream_goes_on)
{
    rpc_fixture f;
    void *message;
    open_fixture(&f, NULL);
    weir_stream *stream = open_stream(&f, CHAT);
    assert_err(weir_stream_read_until(stream, f.mem, soon(), &message), WEIR_ETIMEDOUT);
    assert_err(weir_stream_read_until(stream, f.mem, (weir_time){0}, &message), WEIR_ETIMEDOUT);
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("late")}));
    assert_ok(weir_stream_read_until(stream, f.mem, weir_time_never(), &message));
    assert_str(((text *)message)->text, "late");
    assert_int_equal(finish(&f, stream), WEIR_STATUS_OK);
    assert_err(weir_stream_read_until(stream, f.mem, soon(), &message), WEIR_ECLOSED);
    weir_stream_free(stream);
    rpc_fixture_close(&f);
}

TEST(stream, a_write_waits_no_longer_than_it_may)
{
    static char big[100000];
    text message = {.text = {big, sizeof big}};
    memset(big, 'x', sizeof big);
    rpc_fixture f;
    open_fixture(&f, NULL);
    weir_stream *stream = open_stream(&f, COLLECT);
    weir_err err;
    bool was_late = false;
    for (int taken = 0; !was_late; taken++) {
        assert_true(taken < 1000);
        err = weir_stream_write_until(stream, &message, soon());
        assert_true(!err || err == WEIR_ETIMEDOUT);
        /* There may be room again where only the machine was slow. */
        was_late = err && weir_stream_try_write(stream, &message) == WEIR_EAGAIN;
    }
    weir_stream_cancel(stream);
    while (!(err = weir_stream_write(stream, &message)))
        ; /* what was cancelled makes room until the call is gone */
    assert_err(err, WEIR_ECLOSED);
    assert_int_equal(finish(&f, stream), WEIR_STATUS_CANCELLED);
    weir_stream_free(stream);
    rpc_fixture_close(&f);
}

TEST(stream, a_write_that_does_not_wait_is_sent_when_there_is_room)
{
    rpc_fixture f;
    void *message;
    open_fixture(&f, NULL);
    weir_stream *stream = open_stream(&f, CHAT);
    assert_ok(weir_stream_try_write(stream, &(text){.text = WEIR_STR("now")}));
    assert_ok(weir_stream_read(stream, f.mem, &message));
    assert_str(((text *)message)->text, "now");
    assert_int_equal(finish(&f, stream), WEIR_STATUS_OK);
    weir_stream_free(stream);
    rpc_fixture_close(&f);
}

TEST(stream, a_message_that_is_too_large_is_told_to_its_writer_and_the_stream_goes_on)
{
    rpc_fixture f;
    void *message;
    open_fixture(&f, &(weir_channel_opts){.max_send_bytes = 10});
    weir_stream *stream = open_stream(&f, CHAT);
    assert_err(weir_stream_write(stream, &(text){.text = WEIR_STR("far too long")}), WEIR_EMSGSIZE);
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("short")}));
    assert_ok(weir_stream_read(stream, f.mem, &message));
    assert_str(((text *)message)->text, "short");
    assert_int_equal(finish(&f, stream), WEIR_STATUS_OK);
    weir_stream_free(stream);
    rpc_fixture_close(&f);
}

/* Misuse. */

TEST(stream, writing_is_refused_after_the_half_close)
{
    rpc_fixture f;
    open_fixture(&f, NULL);
    weir_stream *stream = open_stream(&f, CHAT);
    assert_ok(weir_stream_half_close(stream));
    assert_err(weir_stream_half_close(stream), WEIR_ESTATE);
    assert_err(weir_stream_write(stream, &(text){0}), WEIR_ESTATE);
    assert_err(weir_stream_try_write(stream, &(text){0}), WEIR_ESTATE);
    assert_int_equal(finish(&f, stream), WEIR_STATUS_OK);
    weir_stream_free(stream);
    rpc_fixture_close(&f);
}

TEST(stream, writing_is_refused_where_the_client_does_not_stream)
{
    rpc_fixture f;
    open_fixture(&f, NULL);
    weir_stream *stream = open_stream(&f, SPLIT);
    assert_err(weir_stream_write(stream, &(text){0}), WEIR_ESTATE);
    assert_err(weir_stream_half_close(stream), WEIR_ESTATE);
    weir_stream_free(stream);
    rpc_fixture_close(&f);
}

TEST(stream, a_second_finish_is_refused)
{
    rpc_fixture f;
    open_fixture(&f, NULL);
    weir_stream *stream = open_stream(&f, CHAT);
    assert_int_equal(finish(&f, stream), WEIR_STATUS_OK);
    weir_status second = weir_stream_finish(stream, f.mem);
    assert_int_equal(second.code, WEIR_STATUS_FAILED_PRECONDITION);
    assert_string_equal(weir_status_text(&second), "the stream is finished already");
    assert_err(weir_stream_write(stream, &(text){0}), WEIR_ESTATE);
    weir_stream_free(stream);
    rpc_fixture_close(&f);
}

/** Two threads do the same with one stream; which of them is refused is not said. */
typedef struct pair {
    weir_stream *stream;
    weir_latch refused; /* the one that came second has its answer */
    weir_err (*act)(weir_stream *stream);
    weir_err results[2];
} pair;

static weir_err read_one(weir_stream *stream)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    void *message;
    weir_err err = weir_stream_read(stream, &mem, &message);
    weir_arena_fini(&mem);
    return err;
}

static weir_err write_until_full(weir_stream *stream)
{
    static const char big[100000];
    weir_err err;
    while (!(err = weir_stream_write(stream, &(text){.text = {big, sizeof big}})))
        ;
    return err;
}

static void act(pair *p, int which)
{
    p->results[which] = p->act(p->stream);
    if (p->results[which] == WEIR_ESTATE)
        weir_latch_down(&p->refused);
}

static void *first(void *p)
{
    act(p, 0);
    return NULL;
}

static void *second(void *p)
{
    act(p, 1);
    return NULL;
}

/** One of the two is refused while the other waits, and that one is told of the end. */
static void expect_one_refused(int method, weir_err (*what)(weir_stream *stream))
{
    rpc_fixture f;
    open_fixture(&f, NULL);
    pair p = {.stream = open_stream(&f, method), .act = what};
    weir_latch_init(&p.refused, 1);
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, first, &p), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, second, &p), 0);
    weir_latch_wait(&p.refused);
    weir_stream_cancel(p.stream);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    int one = p.results[0] == WEIR_ESTATE ? 0 : 1;
    assert_err(p.results[one], WEIR_ESTATE);
    assert_err(p.results[!one], WEIR_ECLOSED);
    weir_latch_fini(&p.refused);
    weir_stream_free(p.stream);
    rpc_fixture_close(&f);
}

TEST(stream, a_second_reader_is_refused)
{
    expect_one_refused(SPLIT, read_one);
}

TEST(stream, a_second_writer_is_refused)
{
    expect_one_refused(COLLECT, write_until_full);
}

/** Again when the other thread happens to be inside. */
static weir_err read_when_free(weir_stream *stream)
{
    weir_err err;
    do
        err = read_one(stream);
    while (err == WEIR_ESTATE);
    return err;
}

TEST(stream, a_finish_while_another_thread_reads_is_refused)
{
    rpc_fixture f;
    open_fixture(&f, NULL);
    pair p = {.stream = open_stream(&f, SPLIT), .act = read_when_free};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, first, &p), 0);
    void *message; /* refused as soon as the other one reads */
    weir_err err;
    while ((err = weir_stream_read_until(p.stream, f.mem, (weir_time){0}, &message)) ==
           WEIR_ETIMEDOUT)
        ;
    assert_err(err, WEIR_ESTATE);
    weir_status status = weir_stream_finish(p.stream, f.mem);
    assert_int_equal(status.code, WEIR_STATUS_FAILED_PRECONDITION);
    weir_stream_cancel(p.stream);
    pthread_join(reader, NULL);
    assert_err(p.results[0], WEIR_ECLOSED);
    assert_int_equal(finish(&f, p.stream), WEIR_STATUS_CANCELLED);
    weir_stream_free(p.stream);
    rpc_fixture_close(&f);
}
