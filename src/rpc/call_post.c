/* Calls by id from any thread: each operation is a task of its own. Messages are counted in the
 * call's slot from the post until they have left, so that a slow peer is told to the poster. What
 * was posted last is marked there, so that nothing is taken after it. */
#include <stdlib.h>

#include "call_impl.h"
#include "intercept.h"

typedef enum post_kind {
    POST_SEND,
    POST_REPLY,
    POST_FINISH,
    POST_HALF_CLOSE,
    POST_CANCEL,
    POST_RESUME,
    POST_PROCEED,
    POST_RUN
} post_kind;

/** What each of them must not find in the call's slot, and leaves there. */
static const struct {
    uint32_t unless, marks;
} orders[] = {
    [POST_SEND] = {WEIR__CALL_NO_SEND, 0},
    [POST_REPLY] = {WEIR__CALL_NO_REPLY, ~0U},
    [POST_FINISH] = {WEIR__CALL_NO_FINISH, ~0U},
    [POST_HALF_CLOSE] = {WEIR__CALL_NO_HALF_CLOSE, WEIR__CALL_NO_HALF_CLOSE | WEIR__CALL_NO_SEND},
    [POST_CANCEL] = {0, 0},
    [POST_RESUME] = {0, 0},
    [POST_PROCEED] = {0, 0},
    [POST_RUN] = {0, 0},
};

typedef struct post {
    weir_task task;
    weir_loop *loop;
    weir_call_id id;
    post_kind kind;
    weir_payload *payload; /* POST_SEND, POST_REPLY */
    weir_status status;    /* POST_FINISH */
    weir_call_run_fn fn;   /* POST_RUN */
    void *user;
    char text[]; /* of the status */
} post;

static uint32_t charge_of(const post *p)
{
    return p->payload ? (uint32_t)weir__payload_framed(p->payload).len : 0;
}

static void post_free(post *p)
{
    weir_payload_unref(p->payload);
    free(p);
}

/** The message has left, or never will. */
static void sent(void *user)
{
    post *p = user;
    weir_slots *slots = weir_loop_slots(p->loop);
    weir_slots_discharge(slots, p->id.value, charge_of(p));
    weir_call *call = weir_call_get(p->loop, p->id);
    if (call && call->wire && weir_slots_unblock(slots, p->id.value))
        weir_grpc_want_writable(call->wire);
    post_free(p);
}

static weir_err send_payload(weir_call *call, post *p)
{
    if (call->wire)
        return weir__call_send_payload(call, p->payload, sent, p);
    weir_err err = call->ops->send_early(call, p->payload, sent, p);
    if (err)
        sent(p);
    return err;
}

/** Takes `p` in every case. A message that the call cannot take ends it, unless it has ended: the
 * poster cannot be told any more, and the peer must not go on without it. */
static void run_send(weir_call *call, post *p)
{
    if (weir__payload_type(p->payload) != call->sends) {
        sent(p);
        weir_call_fail(call, WEIR_STATUS_INTERNAL,
                       "a posted message: its type is not the one that this end of the method "
                       "sends");
        return;
    }
    weir_err err = send_payload(call, p);
    if (err && err != WEIR_ESTATE && err != WEIR_ECLOSED)
        weir_call_fail(call, (weir_status_code)weir_err_status(err), "a posted message: %s",
                       weir_err_text(err));
}

/** Everything but sending; errors mean that the call has ended meanwhile. */
static void run_other(weir_call *call, const post *p)
{
    switch (p->kind) {
    case POST_FINISH:
        weir_call_finish_status(call, &p->status);
        break;
    case POST_HALF_CLOSE:
        weir_call_half_close(call);
        break;
    case POST_CANCEL:
        weir_call_cancel(call);
        break;
    case POST_RESUME:
        weir_call_resume(call);
        break;
    case POST_PROCEED:
        if (call->held) {
            call->held = false;
            call->again = true;
            call->ops->proceed(call);
        }
        break;
    case POST_RUN:
        p->fn(call, p->user);
        break;
    case POST_SEND:
    case POST_REPLY:
        break;
    }
}

static void run(weir_task *task, weir_err err)
{
    post *p = WEIR_CONTAINER_OF(task, post, task);
    weir_call *call = err ? NULL : weir_call_get(p->loop, p->id);
    if (!call) {
        if (p->fn)
            p->fn(NULL, p->user);
        post_free(p);
    } else if (p->payload) {
        bool reply = p->kind == POST_REPLY;
        run_send(call, p);
        if (reply)
            weir_call_finish(call);
    } else {
        run_other(call, p);
        post_free(p);
    }
}

/** Whether it may be queued; it is counted then, and marked. */
static weir_err admit(weir_slots *slots, const post *p)
{
    uint64_t id = p->id.value;
    weir_err err = weir_slots_mark(slots, id, 0, orders[p->kind].unless);
    if (!err && p->payload)
        err = weir_slots_charge(slots, id, charge_of(p));
    if (err || !orders[p->kind].marks)
        return err;
    err = weir_slots_mark(slots, id, orders[p->kind].marks, orders[p->kind].unless);
    if (err && p->payload) /* another thread was first */
        weir_slots_discharge(slots, id, charge_of(p));
    return err;
}

/** Queues `p`, which it takes in every case. */
static weir_err post_take(post *p)
{
    unsigned number = weir_slot_loop(p->id.value);
    weir_loop *loop = weir_loop_enter(number);
    if (!loop) {
        post_free(p);
        return WEIR_ECLOSED;
    }
    weir_err err = admit(weir_loop_slots(loop), p);
    if (err) {
        post_free(p);
    } else {
        p->loop = loop;
        weir_loop_post(loop, &p->task, run);
    }
    weir_loop_leave(number);
    return err;
}

static post *post_new(weir_call_id id, post_kind kind, size_t text_len)
{
    post *p = malloc(sizeof *p + text_len);
    if (p)
        *p = (post){.id = id, .kind = kind};
    return p;
}

/** `payload` is taken in every case. */
static weir_err post_payload(weir_call_id id, post_kind kind, weir_payload *payload)
{
    post *p = post_new(id, kind, 0);
    if (!p) {
        weir_payload_unref(payload);
        return WEIR_ENOMEM;
    }
    p->payload = payload;
    return post_take(p);
}

static weir_err post_message(weir_call_id id, post_kind kind, const weir_message *type,
                             const void *message)
{
    weir_payload *payload;
    weir_err err = weir_payload_new(&payload, type, message);
    return err ? err : post_payload(id, kind, payload);
}

weir_err weir_call_send_post(weir_call_id id, const weir_message *type, const void *message)
{
    return post_message(id, POST_SEND, type, message);
}

weir_err weir_call_reply_post(weir_call_id id, const weir_message *type, const void *message)
{
    return post_message(id, POST_REPLY, type, message);
}

weir_err weir_call_send_payload_post(weir_call_id id, weir_payload *payload)
{
    return post_payload(id, POST_SEND, weir_payload_ref(payload));
}

static weir_err post_plain(weir_call_id id, post_kind kind)
{
    post *p = post_new(id, kind, 0);
    return p ? post_take(p) : WEIR_ENOMEM;
}

weir_err weir_call_half_close_post(weir_call_id id)
{
    return post_plain(id, POST_HALF_CLOSE);
}

weir_err weir_call_cancel_post(weir_call_id id)
{
    return post_plain(id, POST_CANCEL);
}

weir_err weir_call_proceed_post(weir_call_id id)
{
    return post_plain(id, POST_PROCEED);
}

weir_err weir__call_resume_post(weir_call_id id)
{
    return post_plain(id, POST_RESUME);
}

weir_err weir_call_run_post(weir_call_id id, weir_call_run_fn fn, void *user)
{
    post *p = post_new(id, POST_RUN, 0);
    if (!p)
        return WEIR_ENOMEM;
    p->fn = fn;
    p->user = user;
    return post_take(p);
}

static weir_str copy_to(char **at, weir_str s)
{
    weir_str copy = weir_str_of(*at, s.len);
    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    (*at)[s.len] = '\0';
    *at += s.len + 1;
    return copy;
}

weir_err weir_call_finish_post(weir_call_id id, const weir_status *status)
{
    post *p = post_new(id, POST_FINISH, status->message.len + status->details.len + 2);
    if (!p)
        return WEIR_ENOMEM;
    char *at = p->text;
    p->status.code = status->code;
    p->status.message = copy_to(&at, status->message);
    p->status.details = copy_to(&at, status->details);
    return post_take(p);
}
