/**
 * @file
 * A message on its way: checked, stored, answered, and then told to others. The answer comes after
 * the commit and never before it.
 */
#ifndef CHAT_SERVER_SENDING_H
#define CHAT_SERVER_SENDING_H

#include "app.h"
#include "model/messages.h"

typedef struct sending sending;

/** How it ended: `why.code` OK with what was stored, or why not. On a storage thread; `text` and
 * `out` are good until it returns. */
typedef void (*sending_fn)(const sending *self, const message_stored *out, const weir_status *why);

/** All views are copied. */
struct sending {
    app *app;
    weir_call_id call; /* whose answer it is */
    caller from;
    message_new message; /* its `from` is set by sending_begin() */
    sending_fn answer;
};

/** Whether the user may send one more now; else a status that says so. @thread the loop's */
weir_status sending_check_rate(app *host, const caller *from, weir_loop *loop);
/** `answer` comes later. @return OK, or why it was not begun: `answer` does not come then. */
weir_status sending_begin(const sending *begun);
/** Both, for a message of a call, and checks what is asked for. @thread the call's loop's */
weir_status sending_request(app *host, weir_call *call, const chat_send_message_request *request,
                            sending_fn answer);

#endif
