#include "accounts.h"

#include "rows.h"

static const db_query ADD = {
    "INSERT INTO users (id, name, password, display_name, about, token_generation, created_us,"
    " last_seen_us) VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
    NULL};
static const db_query FIND = {
    "SELECT id, password, display_name, about, token_generation, last_seen_us FROM users"
    " WHERE name = ?",
    NULL};
static const db_query ID_OF = {"SELECT id FROM users WHERE name = ?", NULL};
static const db_query GENERATION = {"SELECT token_generation FROM users WHERE id = ?", NULL};
static const db_query SET_PROFILE = {"UPDATE users SET display_name = ?, about = ? WHERE id = ?",
                                     NULL};
static const db_query SET_PASSWORD = {
    "UPDATE users SET password = ?, token_generation = token_generation + 1 WHERE id = ?", NULL};
static const db_query SET_LAST_SEEN = {"UPDATE users SET last_seen_us = ? WHERE id = ?", NULL};
static const db_query GET_SETTING = {"SELECT value FROM settings WHERE name = ?", NULL};
static const db_query ADD_SETTING = {"INSERT INTO settings (name, value) VALUES (?, ?)", NULL};
static const db_query ADD_NODE = {"INSERT INTO nodes (name, started_us) VALUES (?, ?)", NULL};

weir_err accounts_add(db *d, const account *added)
{
    return db_exec(d, &ADD,
                   DB_VALUES(db_int((int64_t)added->id), db_text(added->name),
                             db_text(added->password), db_text(added->display_name),
                             db_text(added->about), db_int(added->last_seen_us),
                             db_int(added->last_seen_us)));
}

static weir_err read_account(const db_rows *row, weir_arena *mem, account *out)
{
    out->id = (uint64_t)db_column_int(row, 0);
    out->password = weir_arena_copy(mem, db_column_text(row, 1));
    out->display_name = weir_arena_copy(mem, db_column_text(row, 2));
    out->about = weir_arena_copy(mem, db_column_text(row, 3));
    out->generation = (uint64_t)db_column_int(row, 4);
    out->last_seen_us = db_column_int(row, 5);
    return out->password.ptr && out->display_name.ptr && out->about.ptr ? WEIR_OK : WEIR_ENOMEM;
}

weir_err accounts_find(db *d, weir_str name, weir_arena *mem, account *out)
{
    db_rows row;
    weir_err err = db_query_rows(d, &row, &FIND, DB_VALUES(db_text(name)));
    if (err)
        return err;
    bool found = db_next(&row);
    if (found)
        err = read_account(&row, mem, out);
    weir_err ended = db_rows_end(&row);
    out->name = name;
    if (err || ended)
        return err ? err : ended;
    return found ? WEIR_OK : WEIR_ENOENT;
}

weir_err accounts_id_of(db *d, weir_str name, uint64_t *id)
{
    int64_t found;
    weir_err err = rows_number(d, &ID_OF, DB_VALUES(db_text(name)), &found);
    *id = (uint64_t)found;
    return err;
}

weir_err accounts_check(db *d, const caller *who)
{
    int64_t generation;
    weir_err err = rows_number(d, &GENERATION, DB_VALUES(db_int((int64_t)who->id)), &generation);
    if (err == WEIR_ENOENT || (!err && (uint64_t)generation != who->generation))
        return WEIR_EACCES;
    return err;
}

weir_err accounts_set_profile(db *d, uint64_t id, weir_str display_name, weir_str about)
{
    return db_exec(d, &SET_PROFILE,
                   DB_VALUES(db_text(display_name), db_text(about), db_int((int64_t)id)));
}

weir_err accounts_set_password(db *d, uint64_t id, weir_str password)
{
    return db_exec(d, &SET_PASSWORD, DB_VALUES(db_text(password), db_int((int64_t)id)));
}

weir_err accounts_set_last_seen(db *d, uint64_t id, int64_t us)
{
    return db_exec(d, &SET_LAST_SEEN, DB_VALUES(db_int(us), db_int((int64_t)id)));
}

static weir_err get_setting(db *d, weir_str name, weir_arena *mem, weir_str *out)
{
    db_rows row;
    weir_err err = db_query_rows(d, &row, &GET_SETTING, DB_VALUES(db_text(name)));
    if (err)
        return err;
    bool found = db_next(&row);
    if (found)
        *out = weir_arena_copy(mem, db_column_text(&row, 0));
    err = db_rows_end(&row);
    if (err || !found)
        return err ? err : WEIR_ENOENT;
    return out->ptr ? WEIR_OK : WEIR_ENOMEM;
}

weir_err settings_get_or_make(db *d, weir_str name, weir_str made, weir_arena *mem, weir_str *out)
{
    weir_err err = get_setting(d, name, mem, out);
    if (err != WEIR_ENOENT)
        return err;
    err = db_exec(d, &ADD_SETTING, DB_VALUES(db_text(name), db_blob(made)));
    if (err == WEIR_EEXIST)
        return WEIR_EAGAIN; /* another node was first: a new transaction sees its value */
    return err ? err : get_setting(d, name, mem, out);
}

weir_err nodes_add(db *d, weir_str name, int64_t now_us, uint64_t *number)
{
    weir_err err = db_exec(d, &ADD_NODE, DB_VALUES(db_text(name), db_int(now_us)));
    if (!err)
        *number = (uint64_t)db_last_id(d);
    return err;
}
