/* Pulling what is missing: Sync when much is, History for a conversation or two. Every answer goes
 * through client_message_in(), so that a pull that overtakes a push, or the other way round, shows
 * nothing twice. */
#include <stdlib.h>

#include "client_impl.h"

typedef struct pull {
    uint64_t conversation;
    uint64_t after_seq;
} pull;

static void on_pull_timer(weir_timer *timer, void *user)
{
    (void)timer;
    client_ref(user);
    client_pull_now(user);
    client_unref(user);
}

void client_pull_soon(chat_client *self)
{
    if (!weir_timer_pending(&self->pulls.timer) && self->stream.ready && !self->freed)
        weir_loop_after(self->loop, &self->pulls.timer, self->opts.gap_us, on_pull_timer, self);
}

/** After one that did not help. */
static void pull_later(chat_client *self)
{
    int64_t after_us = client_backoff_us(self, ++self->pulls.failures);
    if (self->stream.ready && !self->freed)
        weir_loop_after(self->loop, &self->pulls.timer, after_us, on_pull_timer, self);
}

static client_conversation *of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, client_conversation, node);
}

/* Sync. */

/** @return whether something new was shown */
static bool take_sync(chat_client *self, const chat_sync_response *reply)
{
    uint64_t shown = self->counters.shown;
    for (size_t i = 0; i < reply->conversations.len && !self->freed; i++)
        client_conversation_in(self, &reply->conversations.items[i]);
    for (size_t i = 0; i < reply->messages.len && !self->freed; i++)
        client_message_in(self, &reply->messages.items[i]);
    return self->counters.shown != shown;
}

static void on_synced(chat_client *self, const weir_status *status, const void *reply, void *user)
{
    (void)user;
    self->pulls.syncing = false;
    if (self->freed || self->state == CHAT_CLIENT_ENDED)
        return;
    if (status->code != WEIR_STATUS_OK) {
        pull_later(self);
        return;
    }
    /* Without progress, whatever `more` says: the server has a hole that only History tells of. */
    self->pulls.one_by_one = !take_sync(self, reply);
    self->pulls.failures = 0;
    if (!self->freed)
        client_pull_now(self);
}

static void sync_all(chat_client *self)
{
    size_t count = 0;
    chat_position *positions = malloc((self->conversation_count + 1) * sizeof *positions);
    if (!positions) {
        pull_later(self);
        return;
    }
    weir_list_each (node, following, &self->conversations) {
        client_conversation *c = of(node);
        if (c->known && !c->left)
            positions[count++] = (chat_position){.conversation = c->id, .seq = c->position};
        if (client_has_gap(c))
            self->counters.gaps_pulled++;
    }
    chat_sync_request request = {.positions = {positions, count}, .limit = CLIENT_SYNC_LIMIT};
    const weir_method *method = chat_client_method(&chat_message_service_service, "Sync");
    self->pulls.syncing = !client_call_start(self, method, &request, on_synced, NULL);
    free(positions);
    if (!self->pulls.syncing)
        pull_later(self);
}

/* History. */

/** The server has nothing up to there any more, or never had. */
static void skip_to(chat_client *self, client_conversation *c, uint64_t seq)
{
    self->counters.holes += seq - c->position;
    c->position = seq;
    c->empty_pulls = 0;
    client_mark_due(self, c);
}

/** What was asked for begins later than asked: what is between does not exist. */
static void take_page(chat_client *self, client_conversation *c, const pull *asked,
                      const chat_history_response *reply)
{
    uint64_t from = asked->after_seq;
    for (size_t i = 0; i < reply->messages.len && !self->freed; i++) {
        const chat_message *m = &reply->messages.items[i];
        if (m->conversation != c->id || m->seq <= from) {
            self->counters.refused_frames++;
            return;
        }
        if (m->seq > from + 1 && c->position >= from && c->position < m->seq - 1)
            skip_to(self, c, m->seq - 1);
        from = m->seq;
        client_message_in(self, m);
    }
}

/** Nothing came: a store that lags, or nothing is there. The first is more likely for a while. */
static void take_nothing(chat_client *self, client_conversation *c)
{
    if (++c->empty_pulls < CLIENT_EMPTY_PULLS_MAX)
        return;
    uint64_t next = c->head;
    if (!weir_list_empty(&c->held))
        next = WEIR_CONTAINER_OF(c->held.next, client_held, node)->message.seq - 1;
    skip_to(self, c, next);
    client_messages_release(self, c);
}

static void on_history(chat_client *self, const weir_status *status, const void *reply, void *user)
{
    pull asked = *(pull *)user;
    free(user);
    self->pulls.histories--;
    if (self->freed || self->state == CHAT_CLIENT_ENDED)
        return;
    client_conversation *c = client_conversation_find(self, asked.conversation);
    const chat_history_response *page = reply;
    c->pulling = false;
    if (status->code == WEIR_STATUS_OK && page->messages.len > 0) {
        take_page(self, c, &asked, page);
        self->pulls.failures = 0;
        if (!self->freed)
            client_pull_now(self);
        return;
    }
    if (status->code == WEIR_STATUS_OK && c->position == asked.after_seq)
        take_nothing(self, c);
    else if (status->code == WEIR_STATUS_NOT_FOUND || status->code == WEIR_STATUS_PERMISSION_DENIED)
        c->refused = true;
    if (!self->freed)
        pull_later(self);
}

static void pull_history(chat_client *self, client_conversation *c)
{
    pull *asked = malloc(sizeof *asked);
    chat_history_request request = {
        .conversation = c->id, .after_seq = c->position, .limit = CLIENT_HISTORY_LIMIT};
    const weir_method *method = chat_client_method(&chat_message_service_service, "History");
    if (asked)
        *asked = (pull){c->id, c->position};
    if (!asked || client_call_start(self, method, &request, on_history, asked)) {
        free(asked);
        pull_later(self);
        return;
    }
    c->pulling = true;
    self->pulls.histories++;
    self->counters.gaps_pulled++;
}

/* Which of the two. */

typedef struct missing {
    size_t gaps;
    bool unknown; /* a conversation that the server has not told of */
} missing;

static missing look(const chat_client *self)
{
    missing found = {0};
    weir_list_each (node, following, &self->conversations) {
        client_conversation *c = of(node);
        found.gaps += client_has_gap(c) && !c->refused;
        found.unknown |= !c->known && !c->left;
    }
    return found;
}

static void pull_histories(chat_client *self)
{
    weir_list_each (node, following, &self->conversations) {
        client_conversation *c = of(node);
        if (self->pulls.histories >= CLIENT_HISTORIES_MAX)
            return;
        if (client_has_gap(c) && !c->pulling && !c->refused)
            pull_history(self, c);
    }
}

void client_pull_now(chat_client *self)
{
    if (!self->stream.ready || self->pulls.syncing || self->freed)
        return;
    missing found = look(self);
    if (found.unknown)
        client_want_heads(self);
    if (found.gaps == 0) {
        self->pulls.one_by_one = false;
        if (self->state == CHAT_CLIENT_SYNCING)
            client_set_state(self, CHAT_CLIENT_LIVE);
        return;
    }
    bool much = found.gaps > 2 || self->state == CHAT_CLIENT_SYNCING;
    if (much && !self->pulls.one_by_one && self->pulls.histories == 0)
        sync_all(self);
    else
        pull_histories(self);
}
