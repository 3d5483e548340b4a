/* Who is in a conversation, and what they may do there. */
#include "members.h"

#include "people.h"
#include "rows.h"

static const db_query FIND = {
    "SELECT c.kind, m.role, m.first_seq, c.last_seq FROM members m"
    " JOIN conversations c ON c.id = m.conversation WHERE m.conversation = ? AND m.user_id = ?",
    NULL};
static const db_query ADD = {
    "INSERT INTO members (conversation, user_id, role, first_seq, delivered_seq, read_seq)"
    " VALUES (?, ?, ?, ?, ?, ?)",
    NULL};
static const db_query REMOVE = {"DELETE FROM members WHERE conversation = ? AND user_id = ?", NULL};
static const db_query SET_ROLE = {
    "UPDATE members SET role = ? WHERE conversation = ? AND user_id = ?", NULL};
static const db_query COUNT_OF_USER = {"SELECT COUNT(*) FROM members WHERE user_id = ?", NULL};
static const db_query COUNT = {"SELECT COUNT(*) FROM members WHERE conversation = ?", NULL};
static const db_query OTHER_OWNERS = {
    "SELECT COUNT(*) FROM members WHERE conversation = ? AND role = 3 AND user_id <> ?", NULL};
static const db_query LAST_SEQ = {"SELECT last_seq FROM conversations WHERE id = ?", NULL};
static const db_query LOCK = {"UPDATE conversations SET last_seq = last_seq WHERE id = ?", NULL};
static const db_query LIST = {
    "SELECT u.name, m.role, m.delivered_seq, m.read_seq FROM members m"
    " JOIN users u ON u.id = m.user_id WHERE m.conversation = ? AND u.name > ?"
    " ORDER BY u.name LIMIT ?",
    NULL};

weir_err members_find(db *d, uint64_t conversation, uint64_t user, member *out)
{
    db_rows row;
    weir_err err = db_query_rows(d, &row, &FIND,
                                 DB_VALUES(db_int((int64_t)conversation), db_int((int64_t)user)));
    if (err)
        return err;
    bool found = db_next(&row);
    if (found)
        *out = (member){(chat_conversation_kind)db_column_int(&row, 0),
                        (chat_role)db_column_int(&row, 1), (uint64_t)db_column_int(&row, 2),
                        (uint64_t)db_column_int(&row, 3)};
    err = db_rows_end(&row);
    return err || found ? err : WEIR_ENOENT;
}

weir_err members_add(db *d, uint64_t conversation, uint64_t user, chat_role role,
                     uint64_t first_seq, uint64_t seen)
{
    int64_t before = (int64_t)seen;
    return db_exec(d, &ADD,
                   DB_VALUES(db_int((int64_t)conversation), db_int((int64_t)user), db_int(role),
                             db_int((int64_t)first_seq), db_int(before), db_int(before)));
}

weir_err members_check_room(db *d, uint64_t user, refusal *why)
{
    int64_t has;
    weir_err err = rows_number(d, &COUNT_OF_USER, DB_VALUES(db_int((int64_t)user)), &has);
    if (!err && has >= CONVERSATIONS_PER_USER)
        *why = refuse(WEIR_STATUS_RESOURCE_EXHAUSTED, "a user may be in 1000 conversations");
    return err;
}

weir_err members_check_invite(db *d, uint64_t me, uint64_t user, refusal *why)
{
    chat_relation relation;
    weir_err err = people_relation(d, user, me, &relation);
    if (!err && relation == CHAT_RELATION_BLOCKED)
        *why = refuse(WEIR_STATUS_PERMISSION_DENIED, "one of them has blocked you");
    if (err || why->code)
        return err;
    return members_check_room(d, user, why);
}

static weir_err last_seq(db *d, uint64_t conversation, uint64_t *out)
{
    int64_t seq;
    weir_err err = rows_number(d, &LAST_SEQ, DB_VALUES(db_int((int64_t)conversation)), &seq);
    *out = (uint64_t)seq;
    return err;
}

weir_err members_join(db *d, uint64_t conversation, uint64_t user, chat_role role,
                      uint64_t first_seq, refusal *why)
{
    member is;
    weir_err err = members_find(d, conversation, user, &is);
    if (err != WEIR_ENOENT)
        return err;
    err = members_check_room(d, user, why);
    if (err || why->code)
        return err;
    int64_t has;
    err = rows_number(d, &COUNT, DB_VALUES(db_int((int64_t)conversation)), &has);
    if (!err && has >= CONVERSATIONS_MAX_MEMBERS)
        *why = refuse(WEIR_STATUS_RESOURCE_EXHAUSTED, "a conversation may have 10000 members");
    if (err || why->code)
        return err;
    uint64_t seen = 0;
    err = last_seq(d, conversation, &seen);
    if (!err) /* the past is there for who asks for it, and not sent to who has just come */
        err = members_add(d, conversation, user, role, first_seq, seen);
    return err == WEIR_EEXIST ? WEIR_EAGAIN : err;
}

static const refusal NOT_YOURS = {WEIR_STATUS_NOT_FOUND, "there is no such conversation of yours"};

weir_err conversations_leave(db *d, uint64_t me, uint64_t id, refusal *why)
{
    member is;
    int64_t others = 1, all = 0;
    *why = refuse(WEIR_STATUS_OK, "");
    weir_err err = members_find(d, id, me, &is);
    if (err == WEIR_ENOENT)
        *why = NOT_YOURS;
    if (err)
        return err == WEIR_ENOENT ? WEIR_OK : err;
    if (is.kind == CHAT_CONVERSATION_KIND_DIRECT) {
        *why = refuse(WEIR_STATUS_FAILED_PRECONDITION, "a direct conversation cannot be left");
        return WEIR_OK;
    }
    if (is.role == CHAT_ROLE_OWNER) {
        err = rows_number(d, &OTHER_OWNERS, DB_VALUES(db_int((int64_t)id), db_int((int64_t)me)),
                          &others);
        if (!err)
            err = rows_number(d, &COUNT, DB_VALUES(db_int((int64_t)id)), &all);
    }
    if (!err && others == 0 && all > 1)
        *why = refuse(WEIR_STATUS_FAILED_PRECONDITION, "make somebody else the owner first");
    if (err || why->code)
        return err;
    return db_exec(d, &REMOVE, DB_VALUES(db_int((int64_t)id), db_int((int64_t)me)));
}

/** Whether somebody of role `mine` may do that to somebody of role `theirs`. */
static refusal may(member_action action, const member *mine, chat_role theirs, chat_role wanted)
{
    if (mine->kind == CHAT_CONVERSATION_KIND_DIRECT)
        return refuse(WEIR_STATUS_FAILED_PRECONDITION, "a direct conversation stays as it is");
    if (mine->role != CHAT_ROLE_OWNER && mine->role != CHAT_ROLE_ADMIN)
        return refuse(WEIR_STATUS_PERMISSION_DENIED, "only owners and admins may do that");
    if (action == MEMBER_SET_ROLE && (wanted < CHAT_ROLE_MEMBER || wanted > CHAT_ROLE_READER))
        return refuse(WEIR_STATUS_INVALID_ARGUMENT, "there is no such role");
    bool raises = wanted == CHAT_ROLE_OWNER || wanted == CHAT_ROLE_ADMIN;
    bool over = theirs == CHAT_ROLE_OWNER || theirs == CHAT_ROLE_ADMIN;
    if (mine->role != CHAT_ROLE_OWNER && (over || (action == MEMBER_SET_ROLE && raises)))
        return refuse(WEIR_STATUS_PERMISSION_DENIED, "only an owner may do that");
    return refuse(WEIR_STATUS_OK, "");
}

static weir_err apply(db *d, uint64_t me, member_action action, const chat_member_request *request,
                      const member *mine, uint64_t user, refusal *why)
{
    uint64_t id = request->conversation;
    if (action == MEMBER_ADD) {
        weir_err err = members_check_invite(d, me, user, why);
        if (err || why->code)
            return err;
        uint64_t first = mine->kind == CHAT_CONVERSATION_KIND_GROUP ? mine->last_seq + 1 : 1;
        return members_join(d, id, user, CHAT_ROLE_MEMBER, first, why);
    }
    if (action == MEMBER_REMOVE)
        return db_exec(d, &REMOVE, DB_VALUES(db_int((int64_t)id), db_int((int64_t)user)));
    return db_exec(d, &SET_ROLE,
                   DB_VALUES(db_int(request->role), db_int((int64_t)id), db_int((int64_t)user)));
}

/** The caller's row and the other one's role, with the conversation locked. */
static weir_err prepare(db *d, uint64_t me, member_action action,
                        const chat_member_request *request, member *mine, uint64_t *user,
                        refusal *why)
{
    member theirs = {0};
    weir_err err = members_find(d, request->conversation, me, mine);
    if (err == WEIR_ENOENT)
        *why = NOT_YOURS;
    if (err)
        return err == WEIR_ENOENT ? WEIR_OK : err;
    err = accounts_id_of(d, request->user, user);
    if (!err)
        err = members_find(d, request->conversation, *user, &theirs);
    if (err == WEIR_ENOENT && (action != MEMBER_ADD || *user == 0))
        *why = refuse(WEIR_STATUS_NOT_FOUND, "that user is not in the conversation");
    if (err == WEIR_ENOENT)
        err = WEIR_OK;
    if (!err && !why->code)
        *why = may(action, mine, theirs.role, request->role);
    return err;
}

weir_err conversations_change_member(db *d, uint64_t me, member_action action,
                                     const chat_member_request *request, uint64_t *user_id,
                                     refusal *why)
{
    member mine;
    *user_id = 0;
    *why = refuse(WEIR_STATUS_OK, "");
    weir_err err = prepare(d, me, action, request, &mine, user_id, why);
    if (err || why->code)
        return err;
    if (*user_id == me) {
        *why = refuse(WEIR_STATUS_INVALID_ARGUMENT, "that is your own name; Leave leaves");
        return WEIR_OK;
    }
    err = db_exec(d, &LOCK, DB_VALUES(db_int((int64_t)request->conversation)));
    if (!err) /* again, now that nobody else can change it */
        err = prepare(d, me, action, request, &mine, user_id, why);
    if (!err && !why->code)
        err = apply(d, me, action, request, &mine, *user_id, why);
    return err;
}

weir_err conversations_members(db *d, uint64_t me, const chat_list_members_request *request,
                               weir_arena *mem, chat_list_members_response *out, refusal *why)
{
    member mine;
    *why = refuse(WEIR_STATUS_OK, "");
    weir_err err = members_find(d, request->conversation, me, &mine);
    if (err == WEIR_ENOENT)
        *why = NOT_YOURS;
    if (err)
        return err == WEIR_ENOENT ? WEIR_OK : err;
    size_t limit = request->limit == 0 ? 100 : request->limit < 500 ? request->limit : 500;
    rows list = {0};
    db_rows row;
    err = db_query_rows(d, &row, &LIST,
                        DB_VALUES(db_int((int64_t)request->conversation), db_text(request->after),
                                  db_int((int64_t)limit + 1)));
    if (err)
        return err;
    while (db_next(&row) && !(out->more = list.len == limit)) {
        chat_member *added = rows_add(&list, mem, sizeof *added);
        if (!added) {
            err = WEIR_ENOMEM;
            break;
        }
        *added = (chat_member){.user = weir_arena_copy(mem, db_column_text(&row, 0)),
                               .role = (chat_role)db_column_int(&row, 1),
                               .delivered_seq = (uint64_t)db_column_int(&row, 2),
                               .read_seq = (uint64_t)db_column_int(&row, 3)};
    }
    weir_err ended = db_rows_end(&row);
    out->members.items = list.items;
    out->members.len = list.len;
    return err ? err : ended;
}
