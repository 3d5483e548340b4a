/**
 * @file
 * For tests: a chat server in the client's loop that keeps messages in memory and misbehaves as it
 * is told: it swallows, repeats, reorders, refuses, and hangs up.
 */
#ifndef CHAT_FAKE_SERVER_H
#define CHAT_FAKE_SERVER_H

#include "test.h"

#include <stdio.h>
#include <weir/weir.h>

#include "weir/chat/v1/account.weir.h"
#include "weir/chat/v1/chat.weir.h"
#include "weir/chat/v1/conversation.weir.h"

enum {
    FAKE_CONVERSATIONS = 4,
    FAKE_MESSAGES = 1200,
    FAKE_TEXT = 48,
};

typedef struct fake_message {
    char sender[16];
    char client_id[80];
    char text[FAKE_TEXT];
} fake_message;

typedef struct fake_conversation {
    uint64_t id; /* 0: unused */
    chat_conversation_kind kind;
    const char *name;
    uint64_t first_seq, delivered_seq, read_seq;
    size_t len; /* seq 1 to len */
    fake_message messages[FAKE_MESSAGES];
} fake_conversation;

/** What happens to the next sends, before everything is as it should be. */
typedef enum fake_fate {
    FAKE_STORES,
    FAKE_STORES_AND_HANGS_UP,
    FAKE_HANGS_UP,
    FAKE_STORES_IN_SILENCE,
    FAKE_REFUSES /* with `refuse_code` */
} fake_fate;

typedef struct fake_server {
    weir_loop *loop;
    weir_server *server;
    char addr[WEIR_ADDR_TEXT_MAX];
    fake_conversation conversations[FAKE_CONVERSATIONS];
    weir_call_id stream;
    unsigned streams, hellos, logins, registers, syncs, histories, heads_requests, sends, marks;
    unsigned token;  /* the good one is "t<token>" */
    bool account;    /* exists */
    bool pushes;     /* what is stored is pushed at once */
    bool mute;       /* HeadsRequests are not answered */
    unsigned early;  /* messages of the first conversation that are pushed ahead of the first Heads,
                        which do not know of them yet */
    bool early_mark; /* somebody's, ahead of them too */
    bool hold_sync;  /* Sync is answered when released */
    weir_call_id held_sync;
    weir_status_code pull_code; /* Sync and History fail so, if not OK */
    unsigned sync_limit;        /* messages of an answer; 0: as asked */
    fake_fate fate;
    unsigned fate_count;
    uint32_t refuse_code;
    bool stopped;
} fake_server;

static inline fake_conversation *fake_get(fake_server *f, uint64_t id)
{
    for (size_t i = 0; i < FAKE_CONVERSATIONS; i++) {
        if (f->conversations[i].id == id)
            return &f->conversations[i];
    }
    return NULL;
}

static inline chat_message fake_view(const fake_conversation *c, uint64_t seq)
{
    const fake_message *m = &c->messages[seq - 1];
    return (chat_message){.id = c->id * 100000 + seq,
                          .conversation = c->id,
                          .seq = seq,
                          .sender = weir_str_from(m->sender),
                          .client_id = weir_str_from(m->client_id),
                          .text = weir_str_from(m->text),
                          .time_us = 1};
}

static inline chat_conversation fake_conversation_view(const fake_conversation *c)
{
    return (chat_conversation){.id = c->id,
                               .kind = c->kind,
                               .name = weir_str_from(c->name),
                               .last_seq = c->len,
                               .first_seq = c->first_seq,
                               .delivered_seq = c->delivered_seq,
                               .read_seq = c->read_seq,
                               .role = CHAT_ROLE_MEMBER};
}

/* Frames. */

static inline void fake_frame(fake_server *f, const chat_server_frame *frame)
{
    weir_call *call = weir_call_get(f->loop, f->stream);
    if (call)
        assert_ok(chat_chat_service_chat_send(call, frame));
}

static inline void fake_push(fake_server *f, uint64_t conversation, uint64_t seq)
{
    chat_message message = fake_view(fake_get(f, conversation), seq);
    fake_frame(f, &(chat_server_frame){.frame_case = CHAT_SERVER_FRAME_FRAME_MESSAGE,
                                       .frame = {.message = &message}});
}

static inline void fake_tell(fake_server *f, uint64_t conversation)
{
    chat_conversation view = fake_conversation_view(fake_get(f, conversation));
    fake_frame(f, &(chat_server_frame){.frame_case = CHAT_SERVER_FRAME_FRAME_CONVERSATION,
                                       .frame = {.conversation = &view}});
}

static inline void fake_heads(fake_server *f, uint64_t missed)
{
    chat_conversation views[FAKE_CONVERSATIONS];
    size_t count = 0;
    for (size_t i = 0; i < FAKE_CONVERSATIONS; i++) {
        if (f->conversations[i].id > 0)
            views[count++] = fake_conversation_view(&f->conversations[i]);
    }
    chat_heads heads = {
        .conversations = {views, count}, .node = WEIR_STR("node-1"), .missed = missed};
    fake_frame(f, &(chat_server_frame){.frame_case = CHAT_SERVER_FRAME_FRAME_HEADS,
                                       .frame = {.heads = &heads}});
}

static inline void fake_drain(fake_server *f, uint32_t after_ms)
{
    chat_drain drain = {.reconnect_after_ms = after_ms};
    fake_frame(f, &(chat_server_frame){.frame_case = CHAT_SERVER_FRAME_FRAME_DRAIN,
                                       .frame = {.drain = &drain}});
}

static inline void fake_hang_up(fake_server *f)
{
    weir_call *call = weir_call_get(f->loop, f->stream);
    if (call)
        weir_call_fail(call, WEIR_STATUS_UNAVAILABLE, "gone");
    f->stream = (weir_call_id){0};
}

/* The store. */

static inline fake_conversation *fake_add(fake_server *f, uint64_t id, chat_conversation_kind kind,
                                          const char *name)
{
    fake_conversation *c = fake_get(f, 0);
    assert_non_null(c);
    c->id = id;
    c->kind = kind;
    c->name = name;
    c->first_seq = 1;
    return c;
}

/** @return its seq */
static inline uint64_t fake_store(fake_server *f, uint64_t conversation, const char *sender,
                                  const char *client_id, const char *text)
{
    fake_conversation *c = fake_get(f, conversation);
    assert_true(c->len < FAKE_MESSAGES);
    fake_message *m = &c->messages[c->len++];
    snprintf(m->sender, sizeof m->sender, "%s", sender);
    snprintf(m->client_id, sizeof m->client_id, "%s", client_id);
    snprintf(m->text, sizeof m->text, "%s", text);
    return c->len;
}

/** `count` messages of bob's: "1", "2"... by their seq. */
static inline void fake_fill(fake_server *f, uint64_t conversation, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%zu", fake_get(f, conversation)->len + 1);
        fake_store(f, conversation, "bob", text, text);
    }
}

/* Sends. */

static inline fake_conversation *fake_target(fake_server *f, const chat_send_message_request *send)
{
    if (send->to_case == CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION)
        return fake_get(f, send->to.conversation);
    weir_str name =
        send->to_case == CHAT_SEND_MESSAGE_REQUEST_TO_USER ? send->to.user : send->to.room;
    for (size_t i = 0; i < FAKE_CONVERSATIONS; i++) {
        if (f->conversations[i].id > 0 &&
            weir_str_eq(weir_str_from(f->conversations[i].name), name))
            return &f->conversations[i];
    }
    return NULL;
}

static inline void fake_refuse(fake_server *f, weir_str client_id, uint32_t code)
{
    chat_send_failed failed = {.client_id = client_id, .code = code, .text = WEIR_STR("no")};
    fake_frame(f, &(chat_server_frame){.frame_case = CHAT_SERVER_FRAME_FRAME_SEND_FAILED,
                                       .frame = {.send_failed = &failed}});
}

static inline void fake_answer(fake_server *f, fake_conversation *c, weir_str client_id,
                               bool silent)
{
    char id[80], text[FAKE_TEXT];
    snprintf(id, sizeof id, "%.*s", WEIR_STR_ARGS(client_id));
    uint64_t seq = 0;
    for (size_t i = 0; i < c->len && seq == 0; i++) {
        if (strcmp(c->messages[i].client_id, id) == 0)
            seq = i + 1;
    }
    (void)text;
    chat_send_message_response response = {
        .id = c->id * 100000 + seq, .conversation = c->id, .seq = seq, .time_us = 1};
    chat_sent sent = {.client_id = client_id, .message = &response};
    if (silent)
        return;
    fake_frame(f, &(chat_server_frame){.frame_case = CHAT_SERVER_FRAME_FRAME_SENT,
                                       .frame = {.sent = &sent}});
    if (f->pushes)
        fake_push(f, c->id, seq);
}

static inline bool fake_has(const fake_conversation *c, weir_str client_id)
{
    for (size_t i = 0; i < c->len; i++) {
        if (weir_str_eq(weir_str_from(c->messages[i].client_id), client_id))
            return true;
    }
    return false;
}

static inline void fake_send(fake_server *f, const chat_send_message_request *send)
{
    fake_fate fate = f->fate_count > 0 ? f->fate : FAKE_STORES;
    fake_conversation *c = fake_target(f, send);
    f->fate_count -= f->fate_count > 0;
    f->sends++;
    if (!c) {
        fake_refuse(f, send->client_id, WEIR_STATUS_NOT_FOUND);
        return;
    }
    if (fate == FAKE_REFUSES) {
        fake_refuse(f, send->client_id, f->refuse_code);
        return;
    }
    if (fate != FAKE_HANGS_UP && !fake_has(c, send->client_id)) {
        char id[80], text[FAKE_TEXT];
        snprintf(id, sizeof id, "%.*s", WEIR_STR_ARGS(send->client_id));
        snprintf(text, sizeof text, "%.*s", WEIR_STR_ARGS(send->text));
        fake_store(f, c->id, "ann", id, text);
    }
    if (fate == FAKE_STORES || fate == FAKE_STORES_IN_SILENCE)
        fake_answer(f, c, send->client_id, fate == FAKE_STORES_IN_SILENCE);
    else
        fake_hang_up(f);
}

/* The services. */

static inline bool fake_token_is_good(fake_server *f, weir_call *call)
{
    char good[32];
    snprintf(good, sizeof good, "Bearer t%u", f->token);
    const weir_str *said = weir_metadata_get(weir_call_metadata(call), WEIR_STR("authorization"));
    if (said && weir_str_eq(*said, weir_str_from(good)))
        return true;
    weir_call_fail(call, WEIR_STATUS_UNAUTHENTICATED, "bad token");
    return false;
}

static inline void fake_on_open(weir_call *call, void *user)
{
    fake_server *f = user;
    if (!fake_token_is_good(f, call))
        return;
    f->stream = weir_call_id_of(call);
    f->streams++;
}

static inline void fake_first_heads(fake_server *f)
{
    fake_conversation *c = &f->conversations[0];
    uint64_t before = c->len;
    fake_fill(f, c->id, f->early);
    for (uint64_t seq = before + 1; seq <= c->len; seq++)
        fake_push(f, c->id, seq);
    chat_mark mark = {.conversation = c->id, .delivered_seq = before, .user = WEIR_STR("bob")};
    if (f->early_mark)
        fake_frame(f, &(chat_server_frame){.frame_case = CHAT_SERVER_FRAME_FRAME_MARK,
                                           .frame = {.mark = &mark}});
    c->len -= f->early;
    fake_heads(f, 0);
    c->len += f->early;
    f->early = 0;
}

static inline void fake_on_frame(weir_call *call, const chat_client_frame *frame, void *user)
{
    fake_server *f = user;
    if (!weir_call_id_eq(weir_call_id_of(call), f->stream))
        return;
    switch (frame->frame_case) {
    case CHAT_CLIENT_FRAME_FRAME_HELLO:
        f->hellos++;
        fake_first_heads(f);
        break;
    case CHAT_CLIENT_FRAME_FRAME_SEND:
        fake_send(f, frame->frame.send);
        break;
    case CHAT_CLIENT_FRAME_FRAME_ACKNOWLEDGE: {
        fake_conversation *c = fake_get(f, frame->frame.acknowledge->conversation);
        assert_non_null(c);
        f->marks++;
        if (c->delivered_seq < frame->frame.acknowledge->delivered_seq)
            c->delivered_seq = frame->frame.acknowledge->delivered_seq;
        if (c->read_seq < frame->frame.acknowledge->read_seq)
            c->read_seq = frame->frame.acknowledge->read_seq;
        break;
    }
    case CHAT_CLIENT_FRAME_FRAME_HEADS:
        f->heads_requests++;
        if (!f->mute)
            fake_heads(f, 0);
        break;
    default:
        break;
    }
}

static inline void fake_on_half_closed(weir_call *call, void *user)
{
    fake_server *f = user;
    if (weir_call_id_eq(weir_call_id_of(call), f->stream))
        f->stream = (weir_call_id){0};
    weir_call_finish(call);
}

static inline void fake_log_in(weir_call *call, const chat_log_in_request *request, void *user)
{
    fake_server *f = user;
    char token[32];
    f->logins++;
    snprintf(token, sizeof token, "t%u", f->token);
    if (f->account && weir_str_eq(request->password, WEIR_STR("secret12")))
        assert_ok(chat_account_service_log_in_reply(
            call, &(chat_log_in_response){.token = weir_str_from(token)}));
    else
        weir_call_fail(call, WEIR_STATUS_UNAUTHENTICATED, "wrong name or password");
}

static inline void fake_register(weir_call *call, const chat_register_request *request, void *user)
{
    fake_server *f = user;
    (void)request;
    f->registers++;
    if (f->account) {
        weir_call_fail(call, WEIR_STATUS_ALREADY_EXISTS, "taken");
        return;
    }
    f->account = true;
    char token[32];
    snprintf(token, sizeof token, "t%u", f->token);
    assert_ok(chat_account_service_register_reply(
        call, &(chat_log_in_response){.token = weir_str_from(token)}));
}

static inline void fake_profile(weir_call *call, const chat_get_profile_request *request,
                                void *user)
{
    (void)request;
    if (fake_token_is_good(user, call))
        assert_ok(
            chat_account_service_get_profile_reply(call, &(chat_profile){.name = WEIR_STR("ann")}));
}

static inline uint64_t fake_position(const fake_conversation *c, const chat_sync_request *request)
{
    for (size_t i = 0; i < request->positions.len; i++) {
        if (request->positions.items[i].conversation == c->id)
            return request->positions.items[i].seq;
    }
    return c->delivered_seq;
}

static inline void fake_sync(weir_call *call, const chat_sync_request *request, void *user)
{
    fake_server *f = user;
    static chat_message messages[500];
    chat_conversation views[FAKE_CONVERSATIONS];
    size_t count = 0, known = 0;
    size_t limit = f->sync_limit > 0 ? f->sync_limit : request->limit > 0 ? request->limit : 200;
    bool more = false;
    if (!fake_token_is_good(f, call))
        return;
    f->syncs++;
    if (f->hold_sync) {
        f->held_sync = weir_call_id_of(call);
        return;
    }
    if (f->pull_code) {
        weir_call_fail(call, f->pull_code, "not now");
        return;
    }
    for (size_t i = 0; i < FAKE_CONVERSATIONS; i++) {
        fake_conversation *c = &f->conversations[i];
        if (c->id == 0)
            continue;
        views[known++] = fake_conversation_view(c);
        uint64_t seq = fake_position(c, request) + 1;
        for (; seq <= c->len && count < limit; seq++) {
            if (seq >= c->first_seq)
                messages[count++] = fake_view(c, seq);
        }
        more |= seq <= c->len;
    }
    assert_ok(chat_message_service_sync_reply(
        call, &(chat_sync_response){
                  .conversations = {views, known}, .messages = {messages, count}, .more = more}));
}

static inline void fake_history(weir_call *call, const chat_history_request *request, void *user)
{
    fake_server *f = user;
    static chat_message messages[200];
    size_t count = 0;
    if (!fake_token_is_good(f, call))
        return;
    f->histories++;
    if (f->pull_code) {
        weir_call_fail(call, f->pull_code, "not now");
        return;
    }
    fake_conversation *c = fake_get(f, request->conversation);
    uint64_t seq = request->after_seq + 1;
    for (; seq <= c->len && count < 200; seq++) {
        if (seq >= c->first_seq)
            messages[count++] = fake_view(c, seq);
    }
    assert_ok(chat_message_service_history_reply(
        call, &(chat_history_response){.messages = {messages, count}, .more = seq <= c->len}));
}

static const chat_account_service_methods fake_account = {
    .register_ = fake_register, .log_in = fake_log_in, .get_profile = fake_profile};
static const chat_message_service_methods fake_messages = {.sync = fake_sync,
                                                           .history = fake_history};
static const chat_chat_service_methods fake_chat = {
    .chat = {.open = fake_on_open, .message = fake_on_frame, .half_closed = fake_on_half_closed}};

/** What Sync was asked when it was held has nothing to say: the client asks again. */
static inline void fake_release_sync(fake_server *f)
{
    weir_call *call = weir_call_get(f->loop, f->held_sync);
    f->hold_sync = false;
    assert_non_null(call);
    weir_call_fail(call, WEIR_STATUS_UNAVAILABLE, "again");
}

static inline void fake_listen(fake_server *f, const char *addr)
{
    f->server = weir_server_new(&(weir_server_opts){.single_loop = true, .drain_us = 1000});
    assert_ok(chat_account_service_serve(f->server, &fake_account, f));
    assert_ok(chat_message_service_serve(f->server, &fake_messages, f));
    assert_ok(chat_chat_service_serve(f->server, &fake_chat, f));
    assert_ok(weir_server_start(f->server, f->loop, addr, NULL));
    weir_addr_text(weir_server_addr(f->server), f->addr);
}

static inline void fake_stopped(void *user)
{
    ((fake_server *)user)->stopped = true;
}

#endif
