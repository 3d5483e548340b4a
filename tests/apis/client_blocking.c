#include "suite.h"

static void run_unary(weir_channel *channel, const plan *p, outcome *out)
{
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata, headers = {0}, trailers = {0};
    weir_call_opts opts = plan_opts(p, mem, &metadata);
    opts.reply_headers = &headers;
    opts.reply_trailers = &trailers;
    text request = plan_message(p, 0, mem);
    void *reply;
    weir_status status =
        weir_unary_call(channel, &test_methods[p->method], mem, &request, &reply, &opts);
    if (status.code == WEIR_STATUS_OK)
        note_message(out, reply);
    note_bin(out->header, &headers);
    note_bin(out->trailer, &trailers);
    note_status(out, &status);
    weir_arena_free(mem);
}

/** What a writer does while the other thread reads. */
typedef struct writing {
    weir_stream *stream;
    const plan *plan;
} writing;

static void *write_all(void *argument)
{
    const writing *w = argument;
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    weir_err err = WEIR_OK;
    for (size_t i = 0; i < plan_messages(w->plan) && !err; i++) {
        text message = plan_message(w->plan, i, &mem);
        err = weir_stream_write(w->stream, &message);
        weir_arena_reset(&mem);
    }
    if (!err)
        weir_stream_half_close(w->stream);
    weir_arena_fini(&mem);
    return NULL;
}

static void read_all(weir_stream *stream, const plan *p, outcome *out)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    void *message;
    bool first_is_last = p->cancel && p->count == 1;
    if (first_is_last)
        weir_stream_cancel(stream);
    while (weir_stream_read(stream, &mem, &message) == WEIR_OK) {
        note_message(out, message);
        if (p->cancel)
            weir_stream_cancel(stream);
        weir_arena_reset(&mem);
    }
    weir_arena_fini(&mem);
}

static void run_stream(weir_channel *channel, const plan *p, outcome *out)
{
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata;
    weir_call_opts opts = plan_opts(p, mem, &metadata);
    bool streams = p->method == COLLECT || p->method == CHAT;
    text request = {0};
    if (!streams)
        request = plan_message(p, 0, mem);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, channel, &test_methods[p->method],
                               streams ? NULL : &request, &opts));
    writing w = {stream, p};
    pthread_t thread;
    if (streams)
        assert_int_equal(pthread_create(&thread, NULL, write_all, &w), 0);
    read_all(stream, p, out);
    if (streams)
        pthread_join(thread, NULL);
    weir_status status = weir_stream_finish(stream, mem);
    note_bin(out->header, weir_stream_metadata(stream));
    note_bin(out->trailer, weir_stream_trailers(stream));
    note_status(out, &status);
    weir_stream_free(stream);
    weir_arena_free(mem);
}

static void run(weir_channel *channel, const plan *p, outcome *out)
{
    if (p->method == UNARY || p->method == MISSING)
        run_unary(channel, p, out);
    else
        run_stream(channel, p, out);
}

const client_driver client_blocking = {"blocking", run};
