#include "db_mariadb.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_VALUES = 64
};

typedef struct mariadb_column {
    bool is_number;
    int64_t number;
    char *bytes; /* at least as many as the longest value of the rows that are open */
    size_t size;
    unsigned long length;
    my_bool is_null;
    char digits[24]; /* a number read as a text */
} mariadb_column;

typedef struct mariadb_statement {
    MYSQL_STMT *handle;
    bool is_open; /* rows are being read */
    unsigned count;
    MYSQL_BIND *binds;
    mariadb_column columns[];
} mariadb_statement;

void db_mariadb_drop_statement(void *statement)
{
    mariadb_statement *self = statement;
    for (unsigned i = 0; i < self->count; i++)
        free(self->columns[i].bytes);
    mysql_stmt_close(self->handle);
    free(self->binds);
    free(self);
}

static weir_err failed(mariadb_db *self, MYSQL_STMT *handle)
{
    return db_mariadb_failed(self, mysql_stmt_errno(handle), mysql_stmt_error(handle));
}

static weir_err no_memory(mariadb_db *self)
{
    return weir_why_set(&self->base.error, WEIR_ENOMEM, "out of memory");
}

/** Takes the handle, whatever comes back. */
static weir_err make_statement(mariadb_db *self, MYSQL_STMT *handle, mariadb_statement **out)
{
    const unsigned count = mysql_stmt_field_count(handle);
    mariadb_statement *made = calloc(1, sizeof *made + count * sizeof made->columns[0]);
    MYSQL_BIND *binds = calloc(count + 1, sizeof *binds);
    if (!made || !binds) {
        free(made);
        free(binds);
        mysql_stmt_close(handle);
        return no_memory(self);
    }
    *made = (mariadb_statement){.handle = handle, .count = count, .binds = binds};
    *out = made;
    return WEIR_OK;
}

static weir_err prepare(mariadb_db *self, const db_query *query, mariadb_statement **out)
{
    struct db_statement_slot *slot = db_statements_slot(&self->base.statements, query);
    if (!slot)
        return weir_why_set(&self->base.error, WEIR_ENOMEM, "more than %d statements",
                            DB_MAX_STATEMENTS);
    if (!slot->statement) {
        const char *text = query->mariadb ? query->mariadb : query->text;
        const my_bool yes = 1;
        MYSQL_STMT *handle = mysql_stmt_init(self->handle);
        if (!handle)
            return no_memory(self);
        mysql_stmt_attr_set(handle, STMT_ATTR_UPDATE_MAX_LENGTH, &yes);
        if (mysql_stmt_prepare(handle, text, strlen(text)) != 0) {
            weir_err err = failed(self, handle);
            mysql_stmt_close(handle);
            return err;
        }
        mariadb_statement *made = NULL;
        weir_err err = make_statement(self, handle, &made);
        if (err)
            return err;
        slot->statement = made;
    }
    *out = slot->statement;
    return WEIR_OK;
}

static void bind_value(MYSQL_BIND *bind, const db_value *value)
{
    switch (value->kind) {
    case DB_INT:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = (void *)(uintptr_t)&value->number;
        break;
    case DB_TEXT:
    case DB_BLOB:
        bind->buffer_type = value->kind == DB_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        bind->buffer = (void *)(uintptr_t)db_value_bytes(value);
        bind->buffer_length = value->bytes.len;
        break;
    case DB_NULL:
    default:
        bind->buffer_type = MYSQL_TYPE_NULL;
        break;
    }
}

/** Runs it on the server; its rows, if any, are yet to be fetched. */
static weir_err execute(mariadb_db *self, const db_query *query, const db_value *values,
                        size_t count, mariadb_statement **out)
{
    if (self->broken)
        return self->broken;
    self->base.error.text[0] = 0;
    if (!self->handle || self->is_lost)
        return weir_why_set(&self->base.error, WEIR_ECLOSED, "the connection is lost");
    mariadb_statement *statement = NULL;
    weir_err err = prepare(self, query, &statement);
    if (err)
        return err;
    if (mysql_stmt_param_count(statement->handle) != count || count > MAX_VALUES)
        WEIR_BUG("\"%s\" was given %zu values", query->text, count);
    if (statement->is_open)
        WEIR_BUG("\"%s\" is run while its rows are open: end them with db_rows_end()", query->text);
    MYSQL_BIND binds[MAX_VALUES];
    memset(binds, 0, sizeof *binds * count);
    for (size_t i = 0; i < count; i++)
        bind_value(&binds[i], &values[i]);
    if ((count > 0 && mysql_stmt_bind_param(statement->handle, binds)) ||
        mysql_stmt_execute(statement->handle) != 0)
        return failed(self, statement->handle);
    *out = statement;
    return WEIR_OK;
}

static void count_changes(mariadb_db *self, mariadb_statement *statement)
{
    if (statement->count > 0)
        return;
    self->base.changes = (int64_t)mysql_stmt_affected_rows(statement->handle);
    self->base.total_changes += self->base.changes;
    self->base.last_id = (int64_t)mysql_stmt_insert_id(statement->handle);
}

weir_err db_mariadb_exec(db *base, const db_query *query, const db_value *values, size_t count)
{
    mariadb_statement *statement = NULL;
    weir_err err = execute(mariadb_of(base), query, values, count, &statement);
    if (err)
        return err;
    count_changes(mariadb_of(base), statement);
    mysql_stmt_free_result(statement->handle);
    return WEIR_OK;
}

static bool is_number(const MYSQL_FIELD *field)
{
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        return true;
    default:
        return false;
    }
}

/** Where the values of a column go. */
static bool bind_column(MYSQL_BIND *bind, mariadb_column *column, const MYSQL_FIELD *field)
{
    *bind = (MYSQL_BIND){.is_null = &column->is_null, .length = &column->length};
    column->is_number = is_number(field);
    if (column->is_number) {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &column->number;
        return true;
    }
    if (column->size < field->max_length + 1) {
        char *larger = realloc(column->bytes, field->max_length + 1);
        if (!larger)
            return false;
        column->bytes = larger;
        column->size = field->max_length + 1;
    }
    bind->buffer_type = MYSQL_TYPE_BLOB;
    bind->buffer = column->bytes;
    bind->buffer_length = column->size;
    return true;
}

/** All rows have come: another statement may be run while they are read. */
static weir_err bind_columns(mariadb_db *self, mariadb_statement *statement)
{
    MYSQL_RES *about = mysql_stmt_result_metadata(statement->handle);
    bool has_memory = about != NULL;
    for (unsigned i = 0; has_memory && i < statement->count; i++)
        has_memory = bind_column(&statement->binds[i], &statement->columns[i],
                                 mysql_fetch_field_direct(about, i));
    mysql_free_result(about);
    if (!has_memory)
        return no_memory(self);
    return mysql_stmt_bind_result(statement->handle, statement->binds)
               ? failed(self, statement->handle)
               : WEIR_OK;
}

weir_err db_mariadb_query_rows(db *base, db_rows *rows, const db_query *query,
                               const db_value *values, size_t count)
{
    mariadb_db *self = mariadb_of(base);
    mariadb_statement *statement = NULL;
    weir_err err = execute(self, query, values, count, &statement);
    if (err)
        return err;
    count_changes(self, statement);
    if (statement->count > 0) {
        if (mysql_stmt_field_count(statement->handle) != statement->count)
            err = weir_why_set(&base->error, WEIR_EIO, "a table has changed");
        else if (mysql_stmt_store_result(statement->handle) != 0)
            err = failed(self, statement->handle);
        else
            err = bind_columns(self, statement);
    }
    if (err) {
        mysql_stmt_free_result(statement->handle);
        return err;
    }
    statement->is_open = true;
    rows->statement = statement;
    return WEIR_OK;
}

bool db_mariadb_next(db_rows *rows)
{
    mariadb_statement *statement = rows->statement;
    if (rows->err || statement->count == 0)
        return false;
    switch (mysql_stmt_fetch(statement->handle)) {
    case 0:
        return true;
    case MYSQL_NO_DATA:
        return false;
    case MYSQL_DATA_TRUNCATED: /* the buffers are as long as the longest value */
        rows->err = weir_why_set(&rows->of->error, WEIR_EIO, "a value was cut");
        return false;
    default:
        rows->err = failed(mariadb_of(rows->of), statement->handle);
        return false;
    }
}

static mariadb_column *column_of(const db_rows *rows, int column)
{
    mariadb_statement *statement = rows->statement;
    if (column < 0 || (unsigned)column >= statement->count)
        WEIR_BUG("column %d of %u", column, statement->count);
    return &statement->columns[column];
}

int64_t db_mariadb_column_int(const db_rows *rows, int column)
{
    mariadb_column *c = column_of(rows, column);
    if (c->is_null)
        return 0;
    if (c->is_number)
        return c->number;
    c->bytes[c->length] = 0; /* of a sum or an average */
    return strtoll(c->bytes, NULL, 10);
}

weir_str db_mariadb_column_text(const db_rows *rows, int column)
{
    mariadb_column *c = column_of(rows, column);
    if (c->is_null)
        return (weir_str){0};
    if (!c->is_number)
        return weir_str_of(c->bytes, c->length);
    int len = snprintf(c->digits, sizeof c->digits, "%lld", (long long)c->number);
    return weir_str_of(c->digits, (size_t)len);
}

void db_mariadb_rows_end(db_rows *rows)
{
    mariadb_statement *statement = rows->statement;
    mysql_stmt_free_result(statement->handle);
    statement->is_open = false;
}
