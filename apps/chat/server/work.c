#include "work.h"

static weir_status status(weir_status_code code, const char *text)
{
    return (weir_status){code, weir_str_from(text), {"", 0}};
}

weir_status work_status(weir_err err, const char *why)
{
    switch (err) {
    case WEIR_OK:
        return WEIR_BLOCKING_OK;
    case WEIR_EACCES:
        return status(WEIR_STATUS_UNAUTHENTICATED, "the token was ended: log in again");
    case WEIR_EFULL:
        return status(WEIR_STATUS_RESOURCE_EXHAUSTED,
                      "the store is full, or has too much to do: try again later");
    case WEIR_ENOMEM:
        return status(WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory: try again later");
    case WEIR_ECLOSED:
    case WEIR_ETIMEDOUT:
    case WEIR_EAGAIN:
        return status(WEIR_STATUS_UNAVAILABLE, "the store is away or slow: try again");
    default:
        WEIR_LOG_ERROR("the store failed: %s: %s", weir_err_text(err), why ? why : "");
        return status(WEIR_STATUS_INTERNAL, "the store failed; the server's log says how");
    }
}

static weir_err run(db *d, storage_job *job)
{
    work *self = WEIR_CONTAINER_OF(job, work, job);
    self->why = refuse(WEIR_STATUS_OK, "");
    weir_err err = self->who.id != 0 ? accounts_check(d, &self->who) : WEIR_OK;
    return err ? err : self->run(d, self);
}

weir_status work_run(work *self, weir_blocking_call *call)
{
    weir_why why = {""};
    const caller *who = &self->who;
    if (who->id != 0 &&
        !weir_rate_limiter_take(self->app->calls, weir_str_of(&who->id, sizeof who->id),
                                weir_time_now(), NULL))
        return status(WEIR_STATUS_RESOURCE_EXHAUSTED, "too many calls: try again a little later");
    self->job.run = run;
    self->mem = weir_blocking_arena(call);
    weir_err err = storage_run(self->app->storage, &self->job, &why);
    if (err)
        return work_status(err, why.text);
    if (self->why.code)
        return weir_blocking_fail(call, self->why.code, "%s", self->why.text);
    return WEIR_BLOCKING_OK;
}
