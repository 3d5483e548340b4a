#include "connect.h"

#include <stdio.h>

#include "texts.h"

static weir_err open_tls(const options *o, weir_tls **out)
{
    weir_why why;
    weir_err err =
        o->tls ? weir_tls_client_new(out, &(weir_tls_opts){.ca_file = o->ca}, &why) : WEIR_OK;
    if (err)
        fprintf(stderr, "weir-chat: %s\n", why.text);
    return err;
}

weir_err connect_new(chat_client **out, weir_loop *loop, const options *o, bool calls_only,
                     const chat_client_events *events, void *user)
{
    weir_tls *tls = NULL;
    weir_err err = open_tls(o, &tls);
    if (err)
        return err;
    chat_client_opts opts = {.target = o->server,
                             .name = o->user,
                             .password = o->password,
                             .device = "weir-chat",
                             .register_missing = o->registers,
                             .calls_only = calls_only,
                             .tls = tls};
    err = chat_client_new(out, loop, &opts, events, user);
    if (err)
        fprintf(stderr, text(TEXT_STATE_FILE), o->user, weir_err_text(err));
    weir_tls_unref(tls);
    return err;
}
