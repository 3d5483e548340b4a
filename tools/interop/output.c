/* TestService's streams of replies: each is sent after its interval and when the call can take it.
 * A client that asks for more before it has its answers is not read from until then. */
#include "service.h"

#include <stdlib.h>

enum {
    QUEUED_MAX = 1 << 20 /* replies that one call may wait for */
};

struct reply {
    testing_payload_type type;
    int32_t size;
    int32_t interval_us;
    bool compressed;
};

struct output {
    weir_call *call;
    weir_timer interval; /* before the next reply */
    bool due;            /* that interval is over */
    bool reading_paused;
    bool half_closed; /* finish once all is sent */
    struct reply *replies;
    size_t next, len, room;
};

/** NULL, and the call failed, when there is no memory for it. */
static struct output *open_output(weir_call *call)
{
    struct output *out = weir_arena_zalloc(weir_call_arena(call), sizeof *out);
    weir_call_set_data(call, out);
    if (out)
        out->call = call;
    else
        fail_on(call, WEIR_ENOMEM);
    return out;
}

static weir_err make_room(struct output *out, size_t more)
{
    if (more > QUEUED_MAX - out->len)
        return WEIR_EFULL;
    if (out->len + more <= out->room)
        return WEIR_OK;
    size_t room = (out->len + more) * 2;
    struct reply *replies = realloc(out->replies, room * sizeof *replies);
    if (!replies)
        return WEIR_ENOMEM;
    out->replies = replies;
    out->room = room;
    return WEIR_OK;
}

/** Queues the request's replies. @return whether it could; if not, the call has been failed */
static bool queue(struct output *out, const testing_streaming_output_call_request *request)
{
    size_t count = request->response_parameters.len;
    weir_err err = make_room(out, count);
    if (err) {
        fail_on(out->call, err);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const testing_response_parameters *wanted = &request->response_parameters.items[i];
        out->replies[out->len++] =
            (struct reply){request->response_type, wanted->size, wanted->interval_us,
                           wanted->compressed && wanted->compressed->value};
    }
    return true;
}

/** The three methods send the same message. */
static weir_err send_reply(struct output *out, const struct reply *reply)
{
    testing_payload payload;
    if (!make_payload(out->call, reply->type, reply->size, &payload))
        return WEIR_ESTATE; /* the call has ended */
    compress_as_asked(out->call, &(testing_bool_value){.value = reply->compressed});
    return testing_test_service_full_duplex_call_send(
        out->call, &(testing_streaming_output_call_response){.payload = &payload});
}

/** All that was asked for is sent. Resuming may end the call, so nothing is touched after it. */
static void sent_all(struct output *out)
{
    out->next = out->len = 0;
    bool paused = out->reading_paused;
    out->reading_paused = false;
    if (out->half_closed)
        weir_call_finish(out->call);
    else if (paused)
        weir_call_resume(out->call);
}

static void pause_reading(struct output *out)
{
    out->reading_paused = true;
    weir_call_pause(out->call);
}

static void interval_over(weir_timer *timer, void *user);

/** Sends until it has to wait for an interval or for the client. */
static void proceed(struct output *out)
{
    while (out->next < out->len) {
        const struct reply *reply = &out->replies[out->next];
        if (!out->due && reply->interval_us > 0) {
            pause_reading(out);
            weir_loop_after(weir_call_loop(out->call), &out->interval, reply->interval_us,
                            interval_over, out);
            return;
        }
        out->due = true;
        weir_err err = send_reply(out, reply);
        if (err == WEIR_EAGAIN) {
            pause_reading(out);
            return;
        }
        if (err) {
            fail_on(out->call, err);
            return;
        }
        out->due = false;
        out->next++;
    }
    sent_all(out);
}

static void interval_over(weir_timer *timer WEIR_UNUSED, void *user)
{
    struct output *out = user;
    out->due = true;
    proceed(out);
}

void output_writable(weir_call *call, void *user WEIR_UNUSED)
{
    struct output *out = weir_call_data(call);
    if (out && !weir_timer_pending(&out->interval))
        proceed(out);
}

void output_closed(weir_call *call, const weir_status *why WEIR_UNUSED, void *user WEIR_UNUSED)
{
    struct output *out = weir_call_data(call);
    if (!out)
        return;
    weir_loop_cancel(weir_call_loop(call), &out->interval);
    free(out->replies);
}

/** Queues the request's replies, unless it asks for the end of the call. */
static bool accept_request(struct output *out, const testing_streaming_output_call_request *request)
{
    if (!request->response_status)
        return queue(out, request);
    end_with(out->call, request->response_status);
    return false;
}

void output_call_open(weir_call *call, const testing_streaming_output_call_request *request,
                      void *user WEIR_UNUSED)
{
    echo_metadata(call);
    struct output *out = open_output(call);
    if (!out || !accept_request(out, request))
        return;
    out->half_closed = true;
    proceed(out);
}

void duplex_open(weir_call *call, void *user WEIR_UNUSED)
{
    echo_metadata(call);
    open_output(call);
}

void full_duplex_message(weir_call *call, const testing_streaming_output_call_request *request,
                         void *user WEIR_UNUSED)
{
    struct output *out = weir_call_data(call);
    if (out && accept_request(out, request))
        proceed(out);
}

void half_duplex_message(weir_call *call, const testing_streaming_output_call_request *request,
                         void *user WEIR_UNUSED)
{
    struct output *out = weir_call_data(call);
    if (out)
        accept_request(out, request);
}

void duplex_half_closed(weir_call *call, void *user WEIR_UNUSED)
{
    struct output *out = weir_call_data(call);
    if (!out)
        return;
    out->half_closed = true;
    if (!out->reading_paused)
        proceed(out);
}
