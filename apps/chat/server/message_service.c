/* MessageService: messages without a stream. */
#include "auth.h"
#include "marks.h"
#include "sending.h"
#include "work.h"

static void sent(const sending *is, const message_stored *stored, const weir_status *why)
{
    weir_err err;
    if (why->code == WEIR_STATUS_OK) {
        chat_send_message_response reply = {.id = stored->id,
                                            .conversation = stored->conversation,
                                            .seq = stored->seq,
                                            .time_us = stored->time_us,
                                            .repeated = stored->repeated};
        err = weir_call_reply_post(is->call, &chat_send_message_response_descriptor, &reply);
    } else {
        err = weir_call_finish_post(is->call, why);
    }
    if (err)
        WEIR_LOG_DEBUG("nobody waits for an answer to a message any more");
}

static void send_message(weir_call *call, const chat_send_message_request *request, void *user)
{
    weir_status why = sending_request(user, call, request, sent);
    if (why.code != WEIR_STATUS_OK)
        weir_call_finish_status(call, &why);
}

/* The others wait for the store on a worker. */

static weir_err read_history(db *d, work *is)
{
    return messages_history(d, is->who.id, is->request, is->mem, is->reply, &is->why);
}

static weir_status history(weir_blocking_call *call, const chat_history_request *request,
                           chat_history_response *reply, void *user)
{
    work is = {.app = user,
               .who = auth_blocking_caller(call),
               .request = request,
               .reply = reply,
               .run = read_history,
               .job.reads_only = true};
    return work_run(&is, call);
}

static weir_err read_sync(db *d, work *is)
{
    return messages_sync(d, is->who.id, is->request, is->mem, is->reply);
}

static weir_status sync_(weir_blocking_call *call, const chat_sync_request *request,
                         chat_sync_response *reply, void *user)
{
    work is = {.app = user,
               .who = auth_blocking_caller(call),
               .request = request,
               .reply = reply,
               .run = read_sync,
               .job.reads_only = true};
    if (request->positions.len > CONVERSATIONS_PER_USER)
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "over 1000 positions");
    return work_run(&is, call);
}

static weir_err write_marks(db *d, work *is)
{
    const chat_acknowledge_request *request = is->request;
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < request->marks.len; i++)
        err = messages_mark(d, is->who.id, &request->marks.items[i]);
    return err;
}

static weir_status acknowledge(weir_blocking_call *call, const chat_acknowledge_request *request,
                               chat_acknowledge_response *reply, void *user)
{
    work is = {.app = user,
               .who = auth_blocking_caller(call),
               .request = request,
               .reply = reply,
               .run = write_marks};
    if (request->marks.len > 100)
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "over 100 marks");
    return work_run(&is, call);
}

weir_err message_serve(weir_server *server, app *self)
{
    static const chat_message_service_methods methods = {
        .send = send_message,
        .blocking = {.history = history, .sync = sync_, .acknowledge = acknowledge},
    };
    return chat_message_service_serve(server, &methods, self);
}
