/* A message is stored, once. */
#include "members.h"
#include "messages.h"
#include "people.h"
#include "rows.h"

static const db_query BY_CLIENT_ID = {
    "SELECT id, conversation, seq, time_us FROM messages WHERE sender_id = ? AND client_id = ?",
    NULL};
static const db_query MAY = {
    "SELECT m.role, c.kind, u.token_generation FROM members m"
    " JOIN conversations c ON c.id = m.conversation JOIN users u ON u.id = m.user_id"
    " WHERE m.conversation = ? AND m.user_id = ?",
    NULL};
static const db_query IS_BLOCKED = {
    "SELECT 1 FROM members m JOIN relations r ON r.user_id = m.user_id"
    " WHERE m.conversation = ? AND m.user_id <> ? AND r.peer_id = ? AND r.relation = 4",
    NULL};
static const db_query COUNT_ONE = {"UPDATE conversations SET last_seq = last_seq + 1 WHERE id = ?",
                                   NULL};
static const db_query LAST_SEQ = {"SELECT last_seq FROM conversations WHERE id = ?", NULL};
static const db_query ADD = {
    "INSERT INTO messages (id, conversation, seq, sender_id, client_id, kind, title, text, time_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    NULL};

static weir_err find_earlier(db *d, const message_new *in, message_stored *out)
{
    db_rows row;
    weir_err err = db_query_rows(d, &row, &BY_CLIENT_ID,
                                 DB_VALUES(db_int((int64_t)in->from->id), db_text(in->client_id)));
    if (err)
        return err;
    if (db_next(&row)) {
        out->repeated = true;
        out->id = (uint64_t)db_column_int(&row, 0);
        out->conversation = (uint64_t)db_column_int(&row, 1);
        out->seq = (uint64_t)db_column_int(&row, 2);
        out->time_us = db_column_int(&row, 3);
    }
    return db_rows_end(&row);
}

static weir_err find_direct(db *d, ids *source, const message_new *in, message_stored *out,
                            refusal *why)
{
    chat_relation relation;
    weir_err err = accounts_id_of(d, in->name, &out->peer);
    if (err == WEIR_ENOENT)
        *why = refuse(WEIR_STATUS_NOT_FOUND, "nobody has that name");
    else if (!err && out->peer == in->from->id)
        *why = refuse(WEIR_STATUS_INVALID_ARGUMENT, "that is your own name");
    if (err || why->code)
        return err == WEIR_ENOENT ? WEIR_OK : err;
    err = people_relation(d, out->peer, in->from->id, &relation);
    if (!err && relation == CHAT_RELATION_BLOCKED)
        *why = refuse(WEIR_STATUS_PERMISSION_DENIED, "this user does not want to hear from you");
    if (err || why->code)
        return err;
    return conversations_direct(d, source, in->from->id, out->peer, &out->conversation, &out->made,
                                why);
}

/** Which conversation it is for. */
static weir_err find_conversation(db *d, ids *source, const message_new *in, message_stored *out,
                                  refusal *why)
{
    bool made;
    weir_err err;
    if (in->topic)
        return conversations_ensure(d, source, CHAT_CONVERSATION_KIND_TOPIC, in->name,
                                    &out->conversation, &made);
    switch (in->to) {
    case CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION:
        out->conversation = in->conversation;
        return WEIR_OK;
    case CHAT_SEND_MESSAGE_REQUEST_TO_USER:
        return find_direct(d, source, in, out, why);
    case CHAT_SEND_MESSAGE_REQUEST_TO_ROOM:
        err = conversations_named(d, CHAT_CONVERSATION_KIND_ROOM, in->name, &out->conversation);
        if (err == WEIR_ENOENT)
            *why = refuse(WEIR_STATUS_NOT_FOUND, "there is no room of that name");
        return err == WEIR_ENOENT ? WEIR_OK : err;
    default:
        *why = refuse(WEIR_STATUS_INVALID_ARGUMENT, "to whom? set conversation, user or room");
        return WEIR_OK;
    }
}

static weir_err check_blocked(db *d, const message_new *in, uint64_t conversation, refusal *why)
{
    int64_t one;
    weir_err err =
        rows_number(d, &IS_BLOCKED,
                    DB_VALUES(db_int((int64_t)conversation), db_int((int64_t)in->from->id),
                              db_int((int64_t)in->from->id)),
                    &one);
    if (!err)
        *why = refuse(WEIR_STATUS_PERMISSION_DENIED, "this user does not want to hear from you");
    return err == WEIR_ENOENT ? WEIR_OK : err;
}

/** Whether the sender may write there. */
static weir_err check_member(db *d, const message_new *in, uint64_t conversation, refusal *why)
{
    db_rows row;
    weir_err err = db_query_rows(
        d, &row, &MAY, DB_VALUES(db_int((int64_t)conversation), db_int((int64_t)in->from->id)));
    if (err)
        return err;
    bool found = db_next(&row);
    int64_t role = found ? db_column_int(&row, 0) : 0, kind = found ? db_column_int(&row, 1) : 0;
    bool stale = found && (uint64_t)db_column_int(&row, 2) != in->from->generation;
    err = db_rows_end(&row);
    if (err)
        return err;
    if (!found)
        *why = refuse(WEIR_STATUS_NOT_FOUND, "there is no such conversation of yours");
    else if (stale)
        return WEIR_EACCES;
    else if (role == CHAT_ROLE_READER)
        *why = refuse(WEIR_STATUS_PERMISSION_DENIED, "you may only read here");
    else if (kind == CHAT_CONVERSATION_KIND_DIRECT)
        return check_blocked(d, in, conversation, why);
    return WEIR_OK;
}

/** The next number of the conversation, whose row is locked by it. */
static weir_err next_seq(db *d, uint64_t conversation, uint64_t *seq)
{
    int64_t last = 0;
    weir_err err = db_exec(d, &COUNT_ONE, DB_VALUES(db_int((int64_t)conversation)));
    if (!err)
        err = rows_number(d, &LAST_SEQ, DB_VALUES(db_int((int64_t)conversation)), &last);
    *seq = (uint64_t)last;
    return err == WEIR_ENOENT ? WEIR_EIO : err;
}

static weir_err add(db *d, ids *source, const message_new *in, message_stored *out)
{
    weir_err err = next_seq(d, out->conversation, &out->seq);
    if (err)
        return err;
    out->id = ids_next(source);
    out->time_us = weir_wall_now().us;
    err = db_exec(d, &ADD,
                  DB_VALUES(db_int((int64_t)out->id), db_int((int64_t)out->conversation),
                            db_int((int64_t)out->seq), db_int((int64_t)in->from->id),
                            db_text(in->client_id), db_int(in->type), db_text(in->title),
                            db_text(in->text), db_int(out->time_us)));
    /* The same client id, stored at this moment by another node: run again, and find it. */
    return err == WEIR_EEXIST ? WEIR_EAGAIN : err;
}

weir_err messages_store(db *d, ids *source, const message_new *in, message_stored *out,
                        refusal *why)
{
    *out = (message_stored){0};
    *why = refuse(WEIR_STATUS_OK, "");
    weir_err err = find_earlier(d, in, out);
    if (err || out->repeated)
        return err;
    /* With a conversation's id, check_member() looks at the account on its way. */
    if (in->topic || in->to != CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION)
        err = accounts_check(d, in->from);
    if (!err)
        err = find_conversation(d, source, in, out, why);
    if (!err && !why->code && !in->topic)
        err = check_member(d, in, out->conversation, why);
    if (err || why->code)
        return err;
    return add(d, source, in, out);
}
