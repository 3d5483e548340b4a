#include "db_driver.h"

static const db_ops *const drivers[] = {&db_sqlite_ops, &db_mariadb_ops};

static const db_ops *driver_of(const char *url)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        if (strncmp(url, drivers[i]->scheme, strlen(drivers[i]->scheme)) == 0)
            return drivers[i];
    }
    return NULL;
}

static weir_err unknown(const char *url, weir_why *why)
{
    const char *colon = strchr(url, ':');
    return weir_why_set(why, WEIR_EINVAL,
                        "\"%.*s\" is no kind of database: use sqlite:PATH or "
                        "mariadb://USER:PASSWORD@HOST:PORT/DATABASE",
                        colon ? (int)(colon - url) : 20, url);
}

weir_err db_open(db **out, const char *url, weir_why *why)
{
    const db_ops *ops = driver_of(url);
    return ops ? ops->open(out, url, why) : unknown(url, why);
}

void db_close(db *self)
{
    if (self)
        self->ops->close(self);
}

const char *db_error(const db *self)
{
    return self->error.text;
}

bool db_is_single_writer(const char *url)
{
    const db_ops *ops = driver_of(url);
    return ops && ops->single_writer;
}

weir_err db_begin(db *self, bool reads_only)
{
    self->error.text[0] = 0;
    return self->ops->begin(self, reads_only);
}

weir_err db_commit(db *self)
{
    return self->ops->commit(self);
}

void db_rollback(db *self)
{
    self->ops->rollback(self);
}

weir_err db_exec(db *self, const db_query *query, const db_value *values, size_t count)
{
    return self->ops->exec(self, query, values, count);
}

int64_t db_changes(const db *self)
{
    return self->changes;
}

int64_t db_total_changes(const db *self)
{
    return self->total_changes;
}

int64_t db_last_id(const db *self)
{
    return self->last_id;
}

int64_t db_reopened(const db *self)
{
    return self->reopened;
}

weir_err db_query_rows(db *self, db_rows *rows, const db_query *query, const db_value *values,
                       size_t count)
{
    *rows = (db_rows){.of = self};
    rows->err = self->ops->query_rows(self, rows, query, values, count);
    return rows->err;
}

bool db_next(db_rows *rows)
{
    return rows->statement && rows->of->ops->next(rows);
}

int64_t db_column_int(const db_rows *rows, int column)
{
    return rows->of->ops->column_int(rows, column);
}

weir_str db_column_text(const db_rows *rows, int column)
{
    return rows->of->ops->column_text(rows, column);
}

weir_err db_rows_end(db_rows *rows)
{
    if (rows->statement)
        rows->of->ops->rows_end(rows);
    rows->statement = NULL;
    return rows->err;
}

weir_err db_backup(const char *url, const char *file, weir_why *why)
{
    const db_ops *ops = driver_of(url);
    if (!ops)
        return unknown(url, why);
    if (!ops->backup)
        return weir_why_set(why, WEIR_ENOTSUP, "use the database's own tools for a backup");
    return ops->backup(url, file, why);
}

weir_err db_restore(const char *url, const char *file, weir_why *why)
{
    const db_ops *ops = driver_of(url);
    if (!ops)
        return unknown(url, why);
    if (!ops->restore)
        return weir_why_set(why, WEIR_ENOTSUP, "use the database's own tools to restore it");
    return ops->restore(url, file, why);
}
