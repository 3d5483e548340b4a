/* Calls with callbacks: from the engine's events to generated code. */
#include "channel_impl.h"

static void handler_headers(weir_call *call, void *user)
{
    weir__client_call *cc = user;
    cc->handler->headers(call, cc->events, cc->handler_user);
}

static void handler_message(weir_call *call, weir_str bytes, void *user)
{
    weir__client_call *cc = user;
    weir_arena *scratch = &call->link->scratch;
    void *message;
    if (weir__call_decode(call, bytes, scratch, 0, &message))
        cc->handler->message(call, message, cc->events, cc->handler_user);
    weir_arena_reset(scratch);
}

static void handler_writable(weir_call *call, void *user)
{
    weir__client_call *cc = user;
    cc->handler->writable(call, cc->events, cc->handler_user);
}

static void handler_closed(weir_call *call, const weir_status *status, void *user)
{
    weir__client_call *cc = user;
    cc->handler->closed(call, status, cc->events, cc->handler_user);
}

static const weir__client_ops handler_ops = {
    .headers = handler_headers,
    .message = handler_message,
    .writable = handler_writable,
    .closed = handler_closed,
};

weir_err weir_call_start(weir_channel *channel, const weir_method *method, const void *request,
                         const weir_client_handler *handler, const void *events, void *user,
                         const weir_call_opts *opts, weir_call_id *id)
{
    weir__client_call *cc;
    weir_err err = weir__client_call_new(&cc, channel, method, request, &handler_ops, NULL, opts);
    if (err)
        return err;
    cc->user = cc;
    cc->handler = handler;
    cc->events = events;
    cc->handler_user = user;
    if (id)
        *id = cc->call.id;
    weir__client_call_go(cc);
    return WEIR_OK;
}
