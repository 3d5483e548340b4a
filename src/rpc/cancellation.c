#include "cancellation.h"

#include <stdatomic.h>
#include <stdlib.h>

struct weir_cancellation {
    _Atomic uint64_t call; /* the id of the one that has it; 0: none */
    atomic_bool cancelled;
};

weir_cancellation *weir_cancellation_new(void)
{
    return calloc(1, sizeof(weir_cancellation));
}

void weir_cancellation_free(weir_cancellation *cancellation)
{
    free(cancellation);
}

/* Either the canceller sees the call's id, or the call sees that it is cancelled: each writes
 * before it reads. */

weir_err weir_cancellation_cancel(weir_cancellation *cancellation)
{
    atomic_store(&cancellation->cancelled, true);
    uint64_t call = atomic_load(&cancellation->call);
    weir_err err = call ? weir_call_cancel_post((weir_call_id){call}) : WEIR_OK;
    return err == WEIR_ENOMEM ? err : WEIR_OK;
}

bool weir_cancellation_is_cancelled(const weir_cancellation *cancellation)
{
    return atomic_load(&cancellation->cancelled);
}

weir_err weir__cancellation_begin(weir_cancellation *cancellation, weir_call_id id)
{
    uint64_t none = 0;
    if (!cancellation)
        return WEIR_OK;
    if (!atomic_compare_exchange_strong(&cancellation->call, &none, id.value))
        return WEIR_ESTATE;
    if (!atomic_load(&cancellation->cancelled))
        return WEIR_OK;
    weir__cancellation_end(cancellation);
    return WEIR_ECANCELED;
}

void weir__cancellation_end(weir_cancellation *cancellation)
{
    if (cancellation)
        atomic_store(&cancellation->call, 0);
}
