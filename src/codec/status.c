#include <weir/codec/h2.h>
#include <weir/codec/status.h>

static const char *const names[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *weir_status_name(weir_status_code code)
{
    size_t at = (size_t)code;
    return at < sizeof names / sizeof *names ? names[at] : names[WEIR_STATUS_UNKNOWN];
}

const char *weir_status_text(const weir_status *status)
{
    return status->message.len > 0 ? status->message.ptr : weir_status_name(status->code);
}

weir_status_code weir_status_from_http(int http_status)
{
    switch (http_status) {
    case 400:
        return WEIR_STATUS_INTERNAL;
    case 401:
        return WEIR_STATUS_UNAUTHENTICATED;
    case 403:
        return WEIR_STATUS_PERMISSION_DENIED;
    case 404:
        return WEIR_STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return WEIR_STATUS_UNAVAILABLE;
    default:
        return WEIR_STATUS_UNKNOWN;
    }
}

weir_status_code weir_status_from_h2(uint32_t h2_code)
{
    switch (h2_code) {
    case WEIR_H2_REFUSED_STREAM:
        return WEIR_STATUS_UNAVAILABLE;
    case WEIR_H2_CANCEL:
        return WEIR_STATUS_CANCELLED;
    case WEIR_H2_ENHANCE_YOUR_CALM:
        return WEIR_STATUS_RESOURCE_EXHAUSTED;
    case WEIR_H2_INADEQUATE_SECURITY:
        return WEIR_STATUS_PERMISSION_DENIED;
    case WEIR_H2_STREAM_CLOSED:
        return WEIR_STATUS_UNKNOWN;
    default:
        return WEIR_STATUS_INTERNAL;
    }
}
