/* A kind of resolver in a file of its own: Redis is asked every second. */
#include "resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

typedef struct redis {
    weir_resolver head;
    const weir_resolver_events *events;
    void *user; /* of the events */
    weir_loop *loop;
    weir_tcp_client *client;
    weir_timer again;
    weir_endpoints *list; /* as far as it has been heard */
    int left;             /* members that are still to come */
    char question[200];
} redis;

static void ask(weir_timer *timer, void *user WEIR_UNUSED)
{
    redis *r = WEIR_CONTAINER_OF(timer, redis, again);
    weir_conn *conn = weir_tcp_client_conn(r->client);
    if (conn && weir_conn_send(conn, r->question, strlen(r->question)))
        weir_conn_abort(conn, WEIR_ENOMEM);
}

static void on_up(weir_conn *conn WEIR_UNUSED, void *user)
{
    ask(&((redis *)user)->again, NULL);
}

/** "*2", "$14", "127.0.0.1:7000", "$14", "127.0.0.1:7001": a line at a time */
static void on_line(weir_conn *conn, weir_buf *in, void *user)
{
    redis *r = user;
    char line[WEIR_ENDPOINT_ADDRESS_MAX + 1] = "";
    size_t len = weir_buf_len(in);
    weir_err err = len < sizeof line && weir_buf_read(in, line, len) ? WEIR_OK : WEIR_EMALFORMED;
    if (line[0] == '-')
        r->events->failed(WEIR_EPROTO, line, r->user);
    if (line[0] == '*') {
        weir_endpoints_unref(r->list);
        r->list = NULL;
        r->left = atoi(line + 1);
        err = weir_endpoints_new(&r->list);
    } else if (line[0] != '$' && r->list) {
        err = weir_endpoints_add(r->list, &(weir_endpoint){.address = weir_str_from(line)});
        r->left--;
    }
    if (err) {
        weir_conn_abort(conn, err);
    } else if (r->list && r->left == 0) {
        r->events->found(r->list, NULL, r->user);
        weir_endpoints_unref(r->list);
        r->list = NULL;
        weir_loop_after(r->loop, &r->again, WEIR_SECONDS(1), ask, NULL);
    }
}

static void on_failed(weir_tcp_client *client WEIR_UNUSED, weir_err err, const char *why,
                      int64_t retry_us WEIR_UNUSED, void *user)
{
    ((redis *)user)->events->failed(err, why, ((redis *)user)->user);
}

static const weir_conn_ops conn_ops = {.on_up = on_up, .on_message = on_line};

static void redis_free(weir_resolver *resolver)
{
    redis *r = WEIR_CONTAINER_OF(resolver, redis, head);
    weir_loop_cancel(r->loop, &r->again);
    weir_tcp_client_free(r->client);
    weir_endpoints_unref(r->list);
    free(r);
}

static weir_err start(weir_resolver **out, const weir_resolver_request *request, weir_why *why)
{
    if (!*request->authority || !*request->path)
        return weir_why_set(why, WEIR_EINVAL, "write redis://HOST:PORT/KEY");
    redis *r = calloc(1, sizeof *r);
    if (!r)
        return WEIR_ENOMEM;
    *r = (redis){{&redis_resolver}, request->events, request->user, request->loop, .list = NULL};
    snprintf(r->question, sizeof r->question, "SMEMBERS %s\r\n", request->path);
    weir_tcp_client_opts opts = {
        .reconnect = true,
        .on_failed = on_failed,
        .conn.codec = weir_codec_line(WEIR_ENDPOINT_ADDRESS_MAX),
    };
    *out = &r->head;
    weir_err err =
        weir_tcp_client_new(&r->client, r->loop, request->authority, &conn_ops, r, &opts);
    if (err)
        free(r);
    else
        weir_tcp_client_start(r->client);
    return err;
}

const weir_resolver_type redis_resolver = {"redis", start, NULL, redis_free};
