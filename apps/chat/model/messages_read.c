/* Messages are read, by seq; and how far they have come is noted. */
#include "members.h"
#include "messages.h"
#include "rows.h"

#define COLUMNS                                                                                    \
    "SELECT s.id, s.conversation, s.seq, u.name, s.client_id, s.text, s.time_us, s.kind, s.title"  \
    " FROM messages s JOIN users u ON u.id = s.sender_id WHERE s.conversation = ?"

static const db_query AFTER = {COLUMNS " AND s.seq > ? ORDER BY s.seq LIMIT ?", NULL};
static const db_query BEFORE = {COLUMNS " AND s.seq < ? AND s.seq >= ? ORDER BY s.seq DESC LIMIT ?",
                                NULL};
static const db_query MARK = {
    "UPDATE members SET"
    " delivered_seq = MAX(delivered_seq, MIN(?, (SELECT last_seq FROM conversations WHERE id = ?))),"
    " read_seq = MAX(read_seq, MIN(?, (SELECT last_seq FROM conversations WHERE id = ?)))"
    " WHERE conversation = ? AND user_id = ?",
    "UPDATE members SET delivered_seq = GREATEST(delivered_seq,"
    " LEAST(?, (SELECT last_seq FROM conversations WHERE id = ?))),"
    " read_seq = GREATEST(read_seq, LEAST(?, (SELECT last_seq FROM conversations WHERE id = ?)))"
    " WHERE conversation = ? AND user_id = ?"};
static const db_query TOPIC_END = {"SELECT last_seq FROM conversations WHERE kind = 4 AND name = ?",
                                   NULL};

static weir_err read_message(const db_rows *row, weir_arena *mem, chat_message *out)
{
    out->id = (uint64_t)db_column_int(row, 0);
    out->conversation = (uint64_t)db_column_int(row, 1);
    out->seq = (uint64_t)db_column_int(row, 2);
    out->sender = weir_arena_copy(mem, db_column_text(row, 3));
    out->client_id = weir_arena_copy(mem, db_column_text(row, 4));
    out->text = weir_arena_copy(mem, db_column_text(row, 5));
    out->time_us = db_column_int(row, 6);
    return out->sender.ptr && out->client_id.ptr && out->text.ptr ? WEIR_OK : WEIR_ENOMEM;
}

/** Adds what a query gives, `limit` at most. @param more  there was one more than that */
static weir_err read_messages(db *d, const db_query *query, const db_value *values, size_t count,
                              size_t limit, weir_arena *mem, rows *list, bool *more)
{
    db_rows row;
    size_t end = list->len + limit;
    *more = false;
    weir_err err = db_query_rows(d, &row, query, values, count);
    if (err)
        return err;
    while (!err && db_next(&row) && !(*more = list->len == end)) {
        chat_message *added = rows_add(list, mem, sizeof *added);
        err = added ? read_message(&row, mem, added) : WEIR_ENOMEM;
    }
    weir_err ended = db_rows_end(&row);
    return err ? err : ended;
}

static weir_err read_after(db *d, uint64_t conversation, uint64_t seq, size_t limit,
                           weir_arena *mem, rows *list, bool *more)
{
    return read_messages(
        d, &AFTER,
        DB_VALUES(db_int((int64_t)conversation), db_int((int64_t)seq), db_int((int64_t)limit + 1)),
        limit, mem, list, more);
}

/** The latest ones before `seq`; the query gives them backwards. */
static weir_err read_before(db *d, uint64_t conversation, uint64_t seq, uint64_t first,
                            size_t limit, weir_arena *mem, rows *list, bool *more)
{
    weir_err err = read_messages(d, &BEFORE,
                                 DB_VALUES(db_int((int64_t)conversation), db_int((int64_t)seq),
                                           db_int((int64_t)first), db_int((int64_t)limit + 1)),
                                 limit, mem, list, more);
    chat_message *items = list->items;
    for (size_t i = 0; i < list->len / 2; i++) {
        chat_message swapped = items[i];
        items[i] = items[list->len - 1 - i];
        items[list->len - 1 - i] = swapped;
    }
    return err;
}

weir_err messages_history(db *d, uint64_t me, const chat_history_request *request, weir_arena *mem,
                          chat_history_response *out, refusal *why)
{
    member mine;
    rows list = {0};
    *why = refuse(WEIR_STATUS_OK, "");
    weir_err err = members_find(d, request->conversation, me, &mine);
    if (err == WEIR_ENOENT) {
        *why = refuse(WEIR_STATUS_NOT_FOUND, "there is no such conversation of yours");
        return WEIR_OK;
    }
    if (err)
        return err;
    size_t limit = request->limit == 0 ? 50 : request->limit;
    limit = limit < MESSAGES_PER_HISTORY ? limit : MESSAGES_PER_HISTORY;
    uint64_t before = mine.first_seq - 1; /* may be read: what is greater */
    uint64_t after = request->after_seq > before ? request->after_seq : before;
    /* Greater seqs than there can be would not fit into the database's integers. */
    after = after < mine.last_seq ? after : mine.last_seq;
    uint64_t until =
        request->before_seq < mine.last_seq + 1 ? request->before_seq : mine.last_seq + 1;
    if (request->before_seq > 0)
        err = read_before(d, request->conversation, until, mine.first_seq, limit, mem, &list,
                          &out->more);
    else
        err = read_after(d, request->conversation, after, limit, mem, &list, &out->more);
    out->messages.items = list.items;
    out->messages.len = list.len;
    return err;
}

/** From where on a conversation is to be sent. */
static uint64_t position_of(const chat_sync_request *request, const chat_conversation *of)
{
    uint64_t from = of->delivered_seq;
    for (size_t i = 0; i < request->positions.len; i++) {
        if (request->positions.items[i].conversation == of->id)
            from = request->positions.items[i].seq;
    }
    return from >= of->first_seq ? from : of->first_seq - 1;
}

weir_err messages_sync(db *d, uint64_t me, const chat_sync_request *request, weir_arena *mem,
                       chat_sync_response *out)
{
    chat_conversation *of;
    size_t count;
    rows list = {0};
    weir_err err = conversations_list(d, me, mem, &of, &count);
    size_t limit = request->limit == 0 ? 200 : request->limit;
    limit = limit < MESSAGES_PER_SYNC ? limit : MESSAGES_PER_SYNC;
    for (size_t i = 0; !err && !out->more && i < count; i++) {
        uint64_t from = position_of(request, &of[i]);
        if (from >= of[i].last_seq)
            continue;
        if (list.len == limit)
            out->more = true;
        else
            err = read_after(d, of[i].id, from, limit - list.len, mem, &list, &out->more);
    }
    out->conversations.items = of;
    out->conversations.len = count;
    out->messages.items = list.items;
    out->messages.len = list.len;
    return err;
}

weir_err messages_mark(db *d, uint64_t user, const chat_mark *mark)
{
    /* What does not fit into the database's integers is beyond the last message anyway. */
    int64_t delivered = mark->delivered_seq < INT64_MAX ? (int64_t)mark->delivered_seq : INT64_MAX;
    int64_t read = mark->read_seq < INT64_MAX ? (int64_t)mark->read_seq : INT64_MAX;
    if (delivered < read)
        delivered = read;
    return db_exec(d, &MARK,
                   DB_VALUES(db_int(delivered), db_int((int64_t)mark->conversation), db_int(read),
                             db_int((int64_t)mark->conversation),
                             db_int((int64_t)mark->conversation), db_int((int64_t)user)));
}

weir_err messages_topic_end(db *d, weir_str topic, uint64_t *last_seq)
{
    int64_t last;
    weir_err err = rows_number(d, &TOPIC_END, DB_VALUES(db_text(topic)), &last);
    *last_seq = (uint64_t)last; /* no row: nobody has sent anything */
    return err == WEIR_ENOENT ? WEIR_OK : err;
}

static weir_err read_notification(const db_rows *row, weir_str topic, weir_arena *mem,
                                  chat_notification *out)
{
    out->id = (uint64_t)db_column_int(row, 0);
    out->topic = topic;
    out->seq = (uint64_t)db_column_int(row, 2);
    out->sender = weir_arena_copy(mem, db_column_text(row, 3));
    out->body = weir_arena_copy(mem, db_column_text(row, 5));
    out->time_us = db_column_int(row, 6);
    out->type = (chat_notification_type)db_column_int(row, 7);
    out->title = weir_arena_copy(mem, db_column_text(row, 8));
    return out->sender.ptr && out->body.ptr && out->title.ptr ? WEIR_OK : WEIR_ENOMEM;
}

weir_err messages_of_topic(db *d, weir_str topic, uint64_t after, size_t limit, weir_arena *mem,
                           chat_notification **items, size_t *count, bool *more)
{
    uint64_t id;
    rows list = {0};
    db_rows row;
    *items = NULL;
    *count = 0;
    *more = false;
    weir_err err = conversations_named(d, CHAT_CONVERSATION_KIND_TOPIC, topic, &id);
    if (err)
        return err == WEIR_ENOENT ? WEIR_OK : err;
    after = after < INT64_MAX ? after : INT64_MAX;
    err = db_query_rows(
        d, &row, &AFTER,
        DB_VALUES(db_int((int64_t)id), db_int((int64_t)after), db_int((int64_t)limit + 1)));
    if (err)
        return err;
    while (!err && db_next(&row) && !(*more = list.len == limit)) {
        chat_notification *added = rows_add(&list, mem, sizeof *added);
        err = added ? read_notification(&row, topic, mem, added) : WEIR_ENOMEM;
    }
    weir_err ended = db_rows_end(&row);
    *items = list.items;
    *count = list.len;
    return err ? err : ended;
}
