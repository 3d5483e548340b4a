#include "schema.h"

enum {
    LOCK_TRIES = 20
};

/* Names and texts are compared by their bytes: SQLite does so, and MariaDB with this collation,
 * which unlike utf8mb4_bin takes "a" and "a " for two names. */
#define TEXT(n)  "VARCHAR(" #n ") CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
#define LONGTEXT "TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"

/* In MariaDB what makes tables commits by itself, so that a migration may stop half way: each of
 * its statements must be fine when it is run again. */
static const db_query FIRST[] = {
    {"CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
     " password TEXT NOT NULL, display_name TEXT NOT NULL, about TEXT NOT NULL,"
     " token_generation INTEGER NOT NULL, created_us INTEGER NOT NULL,"
     " last_seen_us INTEGER NOT NULL)",
     "CREATE TABLE IF NOT EXISTS users (id BIGINT PRIMARY KEY, name " TEXT(
         32) " NOT NULL UNIQUE,"
             " password " LONGTEXT " NOT NULL, display_name " TEXT(64) " NOT NULL, about " TEXT(
                 512) " NOT NULL, token_generation BIGINT NOT NULL, created_us BIGINT NOT NULL,"
                      " last_seen_us BIGINT NOT NULL) ENGINE=InnoDB"},
    {"CREATE TABLE IF NOT EXISTS relations (user_id INTEGER NOT NULL, peer_id INTEGER NOT NULL,"
     " relation INTEGER NOT NULL, PRIMARY KEY (user_id, peer_id)) WITHOUT ROWID",
     "CREATE TABLE IF NOT EXISTS relations (user_id BIGINT NOT NULL, peer_id BIGINT NOT NULL,"
     " relation INT NOT NULL, PRIMARY KEY (user_id, peer_id)) ENGINE=InnoDB"},
    {"CREATE INDEX IF NOT EXISTS relations_by_peer ON relations (peer_id)", NULL},
    {"CREATE TABLE IF NOT EXISTS conversations (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
     " name TEXT, title TEXT NOT NULL, last_seq INTEGER NOT NULL, created_us INTEGER NOT NULL,"
     " UNIQUE (kind, name))",
     "CREATE TABLE IF NOT EXISTS conversations (id BIGINT PRIMARY KEY, kind INT NOT NULL,"
     " name " TEXT(128) ", title " TEXT(
         128) " NOT NULL, last_seq BIGINT NOT NULL,"
              " created_us BIGINT NOT NULL, UNIQUE (kind, name)) ENGINE=InnoDB"},
    {"CREATE TABLE IF NOT EXISTS members (conversation INTEGER NOT NULL, user_id INTEGER NOT NULL,"
     " role INTEGER NOT NULL, first_seq INTEGER NOT NULL, delivered_seq INTEGER NOT NULL,"
     " read_seq INTEGER NOT NULL, PRIMARY KEY (conversation, user_id)) WITHOUT ROWID",
     "CREATE TABLE IF NOT EXISTS members (conversation BIGINT NOT NULL, user_id BIGINT NOT NULL,"
     " role INT NOT NULL, first_seq BIGINT NOT NULL, delivered_seq BIGINT NOT NULL,"
     " read_seq BIGINT NOT NULL, PRIMARY KEY (conversation, user_id)) ENGINE=InnoDB"},
    {"CREATE INDEX IF NOT EXISTS members_by_user ON members (user_id)", NULL},
    /* Ids grow with time, so that rows are appended; what is looked up goes by the indexes. */
    {"CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, conversation INTEGER NOT NULL,"
     " seq INTEGER NOT NULL, sender_id INTEGER NOT NULL, client_id TEXT NOT NULL,"
     " kind INTEGER NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, time_us INTEGER NOT NULL,"
     " UNIQUE (conversation, seq), UNIQUE (sender_id, client_id))",
     "CREATE TABLE IF NOT EXISTS messages (id BIGINT PRIMARY KEY, conversation BIGINT NOT NULL,"
     " seq BIGINT NOT NULL, sender_id BIGINT NOT NULL, client_id " TEXT(
         64) " NOT NULL,"
             " kind INT NOT NULL, title " TEXT(
                 256) " NOT NULL, text " LONGTEXT " NOT NULL,"
                      " time_us BIGINT NOT NULL, UNIQUE (conversation, seq), UNIQUE (sender_id, client_id))"
                      " ENGINE=InnoDB"},
    {"CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL)"
     " WITHOUT ROWID",
     "CREATE TABLE IF NOT EXISTS settings (name " TEXT(64) " PRIMARY KEY, value MEDIUMBLOB"
                                                           " NOT NULL) ENGINE=InnoDB"},
    {"CREATE TABLE IF NOT EXISTS nodes (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
     " started_us INTEGER NOT NULL)",
     "CREATE TABLE IF NOT EXISTS nodes (id BIGINT PRIMARY KEY AUTO_INCREMENT, name " TEXT(
         128) " NOT NULL, started_us BIGINT NOT NULL) ENGINE=InnoDB"},
};

/** Version i + 1; never changed once released, only followed. */
static const struct {
    const db_query *statements;
    size_t count;
} migrations[] = {
    {FIRST, sizeof FIRST / sizeof *FIRST},
};

enum {
    NEWEST = sizeof migrations / sizeof *migrations
};

static const db_query MAKE_VERSION = {
    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY) ENGINE=InnoDB"};
static const db_query GET_VERSION = {"SELECT COALESCE(MAX(version), 0) FROM schema_version", NULL};
static const db_query ADD_VERSION = {"INSERT INTO schema_version (version) VALUES (?)", NULL};
/* SQLite's transaction is the lock. MariaDB's belongs to the connection, and goes with it. */
static const db_query LOCK = {
    "SELECT 1", "SELECT COALESCE(GET_LOCK(CONCAT('weir.chat.', MD5(DATABASE())), 3), 0)"};
static const db_query UNLOCK = {
    "SELECT 1", "SELECT COALESCE(RELEASE_LOCK(CONCAT('weir.chat.', MD5(DATABASE()))), 0)"};

static weir_err get_number(db *d, const db_query *query, int64_t *out)
{
    db_rows rows;
    weir_err err = db_query_rows(d, &rows, query, DB_NONE);
    *out = 0;
    if (!err && db_next(&rows))
        *out = db_column_int(&rows, 0);
    return db_rows_end(&rows);
}

static weir_err run_migration(db *d, int64_t version)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < migrations[version - 1].count; i++)
        err = db_exec(d, &migrations[version - 1].statements[i], DB_NONE);
    return err ? err : db_exec(d, &ADD_VERSION, DB_VALUES(db_int(version)));
}

/** In a transaction, under the lock. @param version  what the database has, or gets */
static weir_err take_step(db *d, int64_t *version, bool *is_done, weir_why *why)
{
    weir_err err = db_exec(d, &MAKE_VERSION, DB_NONE);
    if (!err)
        err = get_number(d, &GET_VERSION, version);
    if (err)
        return err;
    if (*version > NEWEST)
        return weir_why_set(why, WEIR_ENOTSUP,
                            "the database has version %lld and this program knows up to %d: use a "
                            "newer program, or a backup",
                            (long long)*version, NEWEST);
    *is_done = *version == NEWEST;
    return *is_done ? WEIR_OK : run_migration(d, ++*version);
}

/** WEIR_EAGAIN: another node has the lock. */
static weir_err step(db *d, bool *is_done, weir_why *why)
{
    int64_t is_locked = 0, version = 0, was_locked = 0;
    weir_err err = db_begin(d, false);
    if (!err)
        err = get_number(d, &LOCK, &is_locked);
    if (!err && !is_locked)
        err = WEIR_EAGAIN;
    if (!err) {
        err = take_step(d, &version, is_done, why);
        if (!err)
            err = db_commit(d);
        if (err && err != WEIR_ENOTSUP)
            weir_why_set(why, err, "schema version %lld: %s", (long long)version, db_error(d));
        db_rollback(d);
        /* A connection that is lost has no lock either. */
        weir_err ignored = get_number(d, &UNLOCK, &was_locked);
        (void)ignored;
    } else {
        weir_why_set(why, err, "%s", db_error(d));
        db_rollback(d);
    }
    return err;
}

weir_err schema_migrate(db *d, weir_why *why)
{
    bool is_done = false;
    for (int tries = 0; tries < LOCK_TRIES;) {
        weir_err err = step(d, &is_done, why);
        if (err == WEIR_EAGAIN)
            tries++;
        else if (err || is_done)
            return err;
    }
    return weir_why_set(why, WEIR_EAGAIN, "another program is changing the database's tables");
}
