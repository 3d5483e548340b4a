/* Unary calls with the token, made once more when a new one was needed. */
#include <stdlib.h>

#include "client_impl.h"

typedef struct client_call {
    weir_list node; /* in login.parked */
    chat_client *client;
    client_link *link; /* while it is under way */
    const weir_method *method;
    chat_client_reply_fn done;
    void *user;
    weir_arena mem;
    weir_str request;    /* encoded, for the second time */
    uint64_t generation; /* of the token that it had */
    bool again;
} client_call;

static void finish(client_call *self, const weir_status *status, const void *reply)
{
    chat_client *client = self->client;
    client->calls--;
    if (self->done)
        self->done(client, status, reply, self->user);
    weir_arena_fini(&self->mem);
    free(self);
    client_unref(client);
}

static weir_err go(client_call *self);

static void park(client_call *self)
{
    chat_client *client = self->client;
    self->again = true;
    weir_list_append(&client->login.parked, &self->node);
    if (client_has_token(client) && client->login.generation != self->generation)
        client_calls_unpark(client, NULL); /* another call was quicker */
    else if (client_token_refused(client, self->generation))
        client_login_start(client);
    else
        client_calls_unpark(client, &(weir_status){.code = WEIR_STATUS_UNAUTHENTICATED});
}

static void on_reply(const weir_status *status, const void *reply, client_call *self)
{
    chat_client *client = self->client;
    client_link_done(self->link);
    self->link = NULL;
    if (status->code == WEIR_STATUS_UNAUTHENTICATED && !self->again && !client->freed)
        park(self);
    else
        finish(self, status, reply);
}

static void thunk(weir_fn done, const weir_status *status, const void *reply, void *user)
{
    (void)done;
    on_reply(status, reply, user);
}

static void no_typed_done(void) {}

/** @errors as weir_unary_start() */
static weir_err go(client_call *self)
{
    chat_client *client = self->client;
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    void *request = NULL;
    weir_err err = weir_message_decode(self->method->request, &request, &mem, self->request, 0);
    if (!err) {
        self->link = client_link_use(client);
        self->generation = client->login.generation;
        err = weir_unary_start(client->link->channel, self->method, request, thunk, no_typed_done,
                               self,
                               &(weir_call_opts){.timeout_us = client->opts.request_us,
                                                 .wait_for_ready = true,
                                                 .metadata = &client->login.auth});
        if (err) {
            client_link_done(self->link);
            self->link = NULL;
        }
    }
    weir_arena_fini(&mem);
    return err;
}

void client_calls_unpark(chat_client *self, const weir_status *failed)
{
    weir_list calls;
    weir_list_init(&calls);
    weir_list_splice(&calls, &self->login.parked);
    client_ref(self);
    for (weir_list *node; (node = weir_list_pop(&calls));) {
        client_call *call = WEIR_CONTAINER_OF(node, client_call, node);
        weir_status why = {.code = WEIR_STATUS_CANCELLED};
        if (failed)
            why = *failed;
        else if (!self->freed) {
            weir_err err = go(call);
            if (!err)
                continue;
            why.code = (weir_status_code)weir_err_status(err);
        }
        finish(call, &why, NULL);
    }
    client_unref(self);
}

weir_err client_call_start(chat_client *self, const weir_method *method, const void *request,
                           chat_client_reply_fn done, void *user)
{
    if (self->freed || self->state == CHAT_CLIENT_ENDED || !client_has_token(self))
        return WEIR_ESTATE;
    client_call *call = calloc(1, sizeof *call);
    if (!call)
        return WEIR_ENOMEM;
    call->client = self;
    call->method = method;
    call->done = done;
    call->user = user;
    weir_arena_init(&call->mem, NULL, 0);
    weir_err err = weir_message_encode_new(method->request, request, &call->mem, &call->request);
    if (!err)
        err = go(call);
    if (err) {
        weir_arena_fini(&call->mem);
        free(call);
        return err;
    }
    self->calls++;
    client_ref(self);
    return WEIR_OK;
}

weir_err chat_client_call(chat_client *self, const weir_method *method, const void *request,
                          chat_client_reply_fn done, void *user)
{
    if (self->calls >= CHAT_CLIENT_CALLS_MAX)
        return WEIR_EFULL;
    return client_call_start(self, method, request, done, user);
}

const weir_method *chat_client_method(const weir_service *service, const char *name)
{
    for (size_t i = 0; i < service->method_count; i++) {
        if (strcmp(service->methods[i].name, name) == 0)
            return &service->methods[i];
    }
    return NULL;
}
