/**
 * @file
 * Why something was not done although the database works: a gRPC status for whoever asked. What
 * refuses has written nothing.
 */
#ifndef CHAT_MODEL_REFUSAL_H
#define CHAT_MODEL_REFUSAL_H

#include <weir/codec/status.h>

typedef struct refusal {
    weir_status_code code; /**< WEIR_STATUS_OK: it was done */
    const char *text;      /**< static */
} refusal;

static inline refusal refuse(weir_status_code code, const char *text)
{
    return (refusal){code, text};
}

#endif
