#include "people.h"

#include "rows.h"

static const db_query RELATION = {
    "SELECT relation FROM relations WHERE user_id = ? AND peer_id = ?", NULL};
static const db_query COUNT = {"SELECT COUNT(*) FROM relations WHERE user_id = ?", NULL};
static const db_query SET = {
    "INSERT INTO relations (user_id, peer_id, relation) VALUES (?, ?, ?)"
    " ON CONFLICT (user_id, peer_id) DO UPDATE SET relation = excluded.relation",
    "INSERT INTO relations (user_id, peer_id, relation) VALUES (?, ?, ?)"
    " ON DUPLICATE KEY UPDATE relation = VALUES(relation)"};
static const db_query CLEAR = {"DELETE FROM relations WHERE user_id = ? AND peer_id = ?", NULL};
static const db_query LIST = {
    "SELECT u.id, u.name, u.display_name, r.relation FROM relations r"
    " JOIN users u ON u.id = r.peer_id WHERE r.user_id = ? ORDER BY u.name",
    NULL};
/* Two changes between the same two users wait for each other: the one with the smaller id is
 * locked. */
static const db_query LOCK = {"SELECT id FROM users WHERE id = ?",
                              "SELECT id FROM users WHERE id = ? FOR UPDATE"};

weir_err people_relation(db *d, uint64_t me, uint64_t peer, chat_relation *out)
{
    int64_t relation;
    weir_err err =
        rows_number(d, &RELATION, DB_VALUES(db_int((int64_t)me), db_int((int64_t)peer)), &relation);
    *out = (chat_relation)relation; /* no row: none */
    return err == WEIR_ENOENT ? WEIR_OK : err;
}

static weir_err set(db *d, uint64_t me, uint64_t peer, chat_relation relation)
{
    if (relation == CHAT_RELATION_UNSPECIFIED)
        return db_exec(d, &CLEAR, DB_VALUES(db_int((int64_t)me), db_int((int64_t)peer)));
    return db_exec(d, &SET,
                   DB_VALUES(db_int((int64_t)me), db_int((int64_t)peer), db_int(relation)));
}

/** What an action makes of the two sides. */
static refusal decide(people_action action, chat_relation *mine, chat_relation *theirs)
{
    bool blocked = *theirs == CHAT_RELATION_BLOCKED;
    switch (action) {
    case PEOPLE_REQUEST:
        if (blocked || *mine == CHAT_RELATION_BLOCKED)
            return refuse(WEIR_STATUS_PERMISSION_DENIED, "one of you has blocked the other");
        if (*mine == CHAT_RELATION_FRIEND)
            break;
        *theirs = *mine == CHAT_RELATION_ASKS ? CHAT_RELATION_FRIEND : CHAT_RELATION_ASKS;
        *mine = *mine == CHAT_RELATION_ASKS ? CHAT_RELATION_FRIEND : CHAT_RELATION_ASKED;
        break;
    case PEOPLE_ACCEPT:
        if (*mine != CHAT_RELATION_ASKS && *mine != CHAT_RELATION_FRIEND)
            return refuse(WEIR_STATUS_FAILED_PRECONDITION, "they have not asked");
        *mine = *theirs = CHAT_RELATION_FRIEND;
        break;
    case PEOPLE_REMOVE:
        if (*mine != CHAT_RELATION_BLOCKED)
            *mine = CHAT_RELATION_UNSPECIFIED;
        if (!blocked)
            *theirs = CHAT_RELATION_UNSPECIFIED;
        break;
    case PEOPLE_BLOCK:
        *mine = CHAT_RELATION_BLOCKED;
        if (!blocked)
            *theirs = CHAT_RELATION_UNSPECIFIED;
        break;
    case PEOPLE_UNBLOCK:
        if (*mine == CHAT_RELATION_BLOCKED)
            *mine = CHAT_RELATION_UNSPECIFIED;
        break;
    }
    return refuse(WEIR_STATUS_OK, "");
}

/** Neither side may get more relations than it may have. */
static weir_err check_room(db *d, uint64_t of, chat_relation before, chat_relation after,
                           refusal *why)
{
    int64_t count;
    if (before != CHAT_RELATION_UNSPECIFIED || after == CHAT_RELATION_UNSPECIFIED)
        return WEIR_OK;
    weir_err err = rows_number(d, &COUNT, DB_VALUES(db_int((int64_t)of)), &count);
    if (!err && count >= PEOPLE_MAX_RELATIONS)
        *why = refuse(WEIR_STATUS_RESOURCE_EXHAUSTED, "one of you knows 1000 people already");
    return err;
}

static weir_err change(db *d, uint64_t me, people_action action, people_change *out, refusal *why)
{
    uint64_t peer = out->peer;
    int64_t locked;
    weir_err err =
        rows_number(d, &LOCK, DB_VALUES(db_int((int64_t)(me < peer ? me : peer))), &locked);
    if (!err)
        err = people_relation(d, me, peer, &out->mine);
    if (!err)
        err = people_relation(d, peer, me, &out->theirs);
    if (err)
        return err;
    chat_relation mine = out->mine, theirs = out->theirs;
    out->theirs_before = theirs;
    *why = decide(action, &mine, &theirs);
    if (!why->code)
        err = check_room(d, me, out->mine, mine, why);
    if (!err && !why->code)
        err = check_room(d, peer, out->theirs, theirs, why);
    if (err || why->code)
        return err;
    if (mine != out->mine)
        err = set(d, me, peer, mine);
    if (!err && theirs != out->theirs)
        err = set(d, peer, me, theirs);
    out->mine = mine;
    out->theirs = theirs;
    return err;
}

weir_err people_apply(db *d, uint64_t me, weir_str peer_name, people_action action,
                      people_change *out, refusal *why)
{
    *out = (people_change){0};
    *why = refuse(WEIR_STATUS_OK, "");
    weir_err err = accounts_id_of(d, peer_name, &out->peer);
    if (err == WEIR_ENOENT) {
        *why = refuse(WEIR_STATUS_NOT_FOUND, "nobody has that name");
        return WEIR_OK;
    }
    if (!err && out->peer == me) {
        *why = refuse(WEIR_STATUS_INVALID_ARGUMENT, "that is your own name");
        return WEIR_OK;
    }
    return err ? err : change(d, me, action, out, why);
}

weir_err people_list(db *d, uint64_t me, weir_arena *mem, people_row **items, size_t *count)
{
    rows list = {0};
    db_rows row;
    weir_err err = db_query_rows(d, &row, &LIST, DB_VALUES(db_int((int64_t)me)));
    if (err)
        return err;
    while (!err && db_next(&row)) {
        people_row *added = rows_add(&list, mem, sizeof *added);
        if (!added) {
            err = WEIR_ENOMEM;
            break;
        }
        added->id = (uint64_t)db_column_int(&row, 0);
        added->name = weir_arena_copy(mem, db_column_text(&row, 1));
        added->display_name = weir_arena_copy(mem, db_column_text(&row, 2));
        added->relation = (chat_relation)db_column_int(&row, 3);
    }
    weir_err ended = db_rows_end(&row);
    *items = list.items;
    *count = list.len;
    return err ? err : ended;
}
