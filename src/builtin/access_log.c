#undef WEIR_LOG_MODULE
#define WEIR_LOG_MODULE "access"

#include <stdio.h>
#include <weir/builtin/access_log.h>

typedef struct entry {
    weir_time start;
    char peer[WEIR_ADDR_TEXT_MAX]; /* a client's call may have none at its end */
} entry;

static void keep_peer(weir_call *call, entry *e)
{
    weir_addr peer = weir_call_peer(call);
    if (peer.len > 0)
        weir_addr_text(&peer, e->peer);
}

static void start_entry(weir_call *call, void *state, void *user WEIR_UNUSED)
{
    entry *e = state;
    e->start = weir_time_now();
    keep_peer(call, e);
}

static void on_headers(weir_call *call, void *state, void *user WEIR_UNUSED)
{
    keep_peer(call, state);
}

static void write_entry(weir_call *call, const weir_status *status, void *state, void *user)
{
    static const weir_access_log_opts defaults;
    const weir_access_log_opts *opts = user ? user : &defaults;
    entry *e = state;
    int64_t took_us = weir_time_diff(weir_time_now(), e->start);
    bool ok = status->code == WEIR_STATUS_OK;
    weir_log_level level =
        !ok && opts->failures_at_warn ? WEIR_LOG_LEVEL_WARN : WEIR_LOG_LEVEL_INFO;
    if ((ok && took_us < opts->slower_us) || !weir_log_enabled(level))
        return;
    keep_peer(call, e);
    weir_str who = weir_call_identity(call);
    char line[WEIR_LOG_LINE_MAX];
    snprintf(line, sizeof line, "%s %.*s %s %s %lld us%s%.*s", e->peer[0] ? e->peer : "-",
             who.len ? (int)who.len : 1, who.len ? who.ptr : "-", weir_call_method(call)->path,
             weir_status_name(status->code), (long long)took_us, status->message.len ? ": " : "",
             WEIR_STR_ARGS(status->message));
    if (level == WEIR_LOG_LEVEL_WARN)
        WEIR_LOG_WARN("%s", line);
    else
        WEIR_LOG_INFO("%s", line);
}

const weir_interceptor weir_access_log = {
    .name = "access-log",
    .state_bytes = sizeof(entry),
    .open = start_entry,
    .headers = on_headers,
    .closed = write_entry,
};
