#include "storage_impl.h"

/**
 * Runs each job in the transaction that is open.
 * @return false: one has failed with half of its writes done, which only a rollback of all undoes
 */
static bool run_each(storage_thread *self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        storage_outcome *o = &self->outcomes[i];
        const int64_t changes = db_total_changes(self->d);
        o->why.text[0] = 0;
        o->err = o->job->run(self->d, o->job);
        if (!o->err)
            continue;
        if (db_total_changes(self->d) != changes)
            return false;
        weir_why_set(&o->why, o->err, "%s", db_error(self->d));
    }
    return true;
}

static void answer_each(storage_thread *self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        storage_outcome *o = &self->outcomes[i];
        storage_answer(self, o->job, o->err, o->why.text);
    }
}

/** The same end for each: what one found may have come from another that is not kept either. */
static void fail_each(storage_thread *self, size_t count, weir_err err)
{
    for (size_t i = 0; i < count; i++) {
        self->outcomes[i].err = err;
        weir_why_set(&self->outcomes[i].why, err, "%s", db_error(self->d));
    }
    answer_each(self, count);
}

static void run_each_alone(storage_thread *self, size_t count)
{
    storage_count(self->storage, 0, count);
    for (size_t i = 0; i < count; i++)
        storage_run_alone(self, self->outcomes[i].job);
}

void storage_run_batch(storage_thread *self, size_t count)
{
    weir_err err = storage_begin(self, false);
    if (err) {
        fail_each(self, count, err);
        return;
    }
    const int64_t changes = db_total_changes(self->d);
    if (!run_each(self, count)) {
        db_rollback(self->d);
        run_each_alone(self, count);
        return;
    }
    err = db_commit(self->d);
    if (err == WEIR_EAGAIN) {
        run_each_alone(self, count);
    } else if (err) {
        fail_each(self, count, err);
    } else {
        storage_count(self->storage, db_total_changes(self->d) != changes, 0);
        answer_each(self, count);
    }
}
