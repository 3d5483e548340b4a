/* Conversations: which there are, and those of a user. */
#include "conversations.h"

#include <stdio.h>

#include "members.h"
#include "rows.h"

/* The other one of a pair is looked for among its two members; MariaDB, left to itself, goes
 * through all users. */
#define COLUMNS(others)                                                                            \
    "SELECT c.id, c.kind, CASE WHEN c.kind = 1 THEN (SELECT u.name FROM members o " others         \
    " users u ON u.id = o.user_id WHERE o.conversation = c.id AND o.user_id <> m.user_id)"         \
    " ELSE c.name END, c.title, c.last_seq, m.first_seq, m.delivered_seq, m.read_seq, m.role"      \
    " FROM members m JOIN conversations c ON c.id = m.conversation"
#define IN_SQLITE  COLUMNS("CROSS JOIN")
#define IN_MARIADB COLUMNS("STRAIGHT_JOIN")

static const db_query LIST = {IN_SQLITE " WHERE m.user_id = ? ORDER BY c.id",
                              IN_MARIADB " WHERE m.user_id = ? ORDER BY c.id"};
static const db_query GET = {IN_SQLITE " WHERE m.conversation = ? AND m.user_id = ?",
                             IN_MARIADB " WHERE m.conversation = ? AND m.user_id = ?"};
static const db_query NAMED = {"SELECT id FROM conversations WHERE kind = ? AND name = ?", NULL};
static const db_query ADD = {
    "INSERT INTO conversations (id, kind, name, title, last_seq, created_us)"
    " VALUES (?, ?, ?, ?, 0, ?)",
    NULL};

static weir_err read_row(const db_rows *row, weir_arena *mem, chat_conversation *out)
{
    out->id = (uint64_t)db_column_int(row, 0);
    out->kind = (chat_conversation_kind)db_column_int(row, 1);
    out->name = weir_arena_copy(mem, db_column_text(row, 2));
    out->title = weir_arena_copy(mem, db_column_text(row, 3));
    out->last_seq = (uint64_t)db_column_int(row, 4);
    out->first_seq = (uint64_t)db_column_int(row, 5);
    out->delivered_seq = (uint64_t)db_column_int(row, 6);
    out->read_seq = (uint64_t)db_column_int(row, 7);
    out->role = (chat_role)db_column_int(row, 8);
    return out->name.ptr && out->title.ptr ? WEIR_OK : WEIR_ENOMEM;
}

weir_err conversations_list(db *d, uint64_t me, weir_arena *mem, chat_conversation **items,
                            size_t *count)
{
    rows list = {0};
    db_rows row;
    weir_err err = db_query_rows(d, &row, &LIST, DB_VALUES(db_int((int64_t)me)));
    if (err)
        return err;
    while (!err && db_next(&row)) {
        chat_conversation *added = rows_add(&list, mem, sizeof *added);
        err = added ? read_row(&row, mem, added) : WEIR_ENOMEM;
    }
    weir_err ended = db_rows_end(&row);
    *items = list.items;
    *count = list.len;
    return err ? err : ended;
}

weir_err conversations_get(db *d, uint64_t me, uint64_t id, weir_arena *mem, chat_conversation *out)
{
    db_rows row;
    *out = (chat_conversation){0};
    weir_err err =
        db_query_rows(d, &row, &GET, DB_VALUES(db_int((int64_t)id), db_int((int64_t)me)));
    if (err)
        return err;
    bool found = db_next(&row);
    if (found)
        err = read_row(&row, mem, out);
    weir_err ended = db_rows_end(&row);
    if (err || ended)
        return err ? err : ended;
    return found ? WEIR_OK : WEIR_ENOENT;
}

weir_err conversations_named(db *d, chat_conversation_kind kind, weir_str name, uint64_t *id)
{
    int64_t found;
    weir_err err = rows_number(d, &NAMED, DB_VALUES(db_int(kind), db_text(name)), &found);
    *id = (uint64_t)found;
    return err;
}

/** @param name  empty: none */
static weir_err add(db *d, ids *source, chat_conversation_kind kind, weir_str name, weir_str title,
                    uint64_t *id)
{
    *id = ids_next(source);
    db_value stored = name.len > 0 ? db_text(name) : (db_value){.kind = DB_NULL};
    return db_exec(d, &ADD,
                   DB_VALUES(db_int((int64_t)*id), db_int(kind), stored, db_text(title),
                             db_int(ids_time_us(*id))));
}

weir_err conversations_ensure(db *d, ids *source, chat_conversation_kind kind, weir_str name,
                              uint64_t *id, bool *made)
{
    *made = false;
    weir_err err = conversations_named(d, kind, name, id);
    if (err != WEIR_ENOENT)
        return err;
    err = add(d, source, kind, name, WEIR_STR(""), id);
    *made = !err;
    /* Somebody else was first: a new transaction sees theirs. */
    return err == WEIR_EEXIST ? WEIR_EAGAIN : err;
}

weir_err conversations_direct(db *d, ids *source, uint64_t me, uint64_t peer, uint64_t *id,
                              bool *made, refusal *why)
{
    char name[48];
    int len = snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)(me < peer ? me : peer),
                       (unsigned long long)(me < peer ? peer : me));
    weir_str key = weir_str_of(name, (size_t)len);
    *made = false;
    weir_err err = conversations_named(d, CHAT_CONVERSATION_KIND_DIRECT, key, id);
    if (err != WEIR_ENOENT)
        return err;
    err = members_check_room(d, me, why);
    if (!err && !why->code)
        err = members_check_room(d, peer, why);
    if (err || why->code)
        return err;
    err = conversations_ensure(d, source, CHAT_CONVERSATION_KIND_DIRECT, key, id, made);
    if (err || !*made) /* the other one was quicker, between our two looks */
        return err;
    err = members_add(d, *id, me, CHAT_ROLE_MEMBER, 1, 0);
    return err ? err : members_add(d, *id, peer, CHAT_ROLE_MEMBER, 1, 0);
}

/** The ids of those who are to be in a new conversation, `me` first, each once. */
static weir_err find_members(db *d, uint64_t me, const chat_create_conversation_request *request,
                             uint64_t *found, size_t *count, refusal *why)
{
    found[0] = me;
    *count = 1;
    for (size_t i = 0; i < request->members.len; i++) {
        uint64_t user;
        weir_err err = accounts_id_of(d, request->members.items[i], &user);
        if (err == WEIR_ENOENT)
            *why = refuse(WEIR_STATUS_NOT_FOUND, "one of the members does not exist");
        else if (!err)
            err = members_check_invite(d, me, user, why);
        if (err || why->code)
            return err == WEIR_ENOENT ? WEIR_OK : err;
        bool known = false;
        for (size_t k = 0; k < *count; k++)
            known |= found[k] == user;
        if (!known)
            found[(*count)++] = user;
    }
    return WEIR_OK;
}

weir_err conversations_create(db *d, ids *source, uint64_t me,
                              const chat_create_conversation_request *request, weir_arena *mem,
                              uint64_t *id, uint64_t **user_ids, size_t *count, refusal *why)
{
    *why = refuse(WEIR_STATUS_OK, "");
    uint64_t *found = weir_arena_zalloc(mem, (request->members.len + 1) * sizeof *found);
    if (!found)
        return WEIR_ENOMEM;
    weir_err err = members_check_room(d, me, why);
    if (!err && !why->code)
        err = find_members(d, me, request, found, count, why);
    if (err || why->code)
        return err;
    bool room = request->kind == CHAT_CONVERSATION_KIND_ROOM;
    err = add(d, source, request->kind, room ? request->name : WEIR_STR(""), request->title, id);
    if (err == WEIR_EEXIST) {
        *why = refuse(WEIR_STATUS_ALREADY_EXISTS, "there is a room of that name");
        return WEIR_OK;
    }
    for (size_t i = 0; !err && i < *count; i++)
        err = members_add(d, *id, found[i], i == 0 ? CHAT_ROLE_OWNER : CHAT_ROLE_MEMBER, 1, 0);
    *user_ids = found;
    return err;
}

/** The room's id; made, if that is wanted and `me` may be in one more. */
static weir_err find_room(db *d, ids *source, uint64_t me, weir_str room, bool create, uint64_t *id,
                          bool *made, refusal *why)
{
    *made = false;
    weir_err err = conversations_named(d, CHAT_CONVERSATION_KIND_ROOM, room, id);
    if (err != WEIR_ENOENT)
        return err;
    if (!create) {
        *why = refuse(WEIR_STATUS_NOT_FOUND, "there is no room of that name");
        return WEIR_OK;
    }
    err = members_check_room(d, me, why);
    if (err || why->code)
        return err;
    return conversations_ensure(d, source, CHAT_CONVERSATION_KIND_ROOM, room, id, made);
}

weir_err conversations_join(db *d, ids *source, uint64_t me, weir_str room, bool create,
                            uint64_t *id, refusal *why)
{
    bool made;
    *why = refuse(WEIR_STATUS_OK, "");
    weir_err err = find_room(d, source, me, room, create, id, &made, why);
    if (err || why->code)
        return err;
    return members_join(d, *id, me, made ? CHAT_ROLE_OWNER : CHAT_ROLE_MEMBER, 1, why);
}
