/* Calls 14-tiny-rpc-server: `15-tiny-rpc-client 127.0.0.1:8000 2 WORD...` reverses each word. All
 * calls are sent at once; an answer finds its call by its id; each has a timeout of its own. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/net/net.h>

enum {
    TIMEOUT_S = 1,
    CALLS_MAX = 4096,
    FRAME_MAX = 4096,
    ID_BYTES = 4,
    HEAD_BYTES = ID_BYTES + 1 /* and a method's number, or a status */
};

typedef struct client {
    weir_loop *loop;
    weir_conn *conn;
    weir_timer calls[CALLS_MAX]; /* the index is the id; a call is pending while its timer is */
    char **words;                /* by id */
    uint32_t count;
    uint32_t unanswered;
    char method;
    bool failed; /* one of the calls */
} client;

static void end_call(client *c, uint32_t id, const char *failure, weir_str text)
{
    printf("%u: %s%.*s\n", id, failure, WEIR_STR_ARGS(text));
    c->failed = c->failed || failure[0];
    weir_loop_cancel(c->loop, &c->calls[id]);
    if (--c->unanswered == 0)
        weir_conn_abort(c->conn, WEIR_OK); /* nothing is left to be sent or heard */
}

static void timed_out(weir_timer *timer, void *user)
{
    client *c = user;
    end_call(c, (uint32_t)(timer - c->calls), "timed out", WEIR_STR(""));
}

static weir_err send_call(client *c, uint32_t id)
{
    char frame[FRAME_MAX];
    uint32_t wire_id = htonl(id);
    size_t len = strlen(c->words[id]);
    if (len > FRAME_MAX - HEAD_BYTES)
        return WEIR_EMSGSIZE;
    memcpy(frame, &wire_id, ID_BYTES);
    frame[ID_BYTES] = c->method;
    memcpy(frame + HEAD_BYTES, c->words[id], len);
    return weir_conn_send_message(c->conn, weir_str_of(frame, HEAD_BYTES + len));
}

static void on_up(weir_conn *conn, void *user)
{
    client *c = user;
    for (uint32_t id = 0; id < c->count; id++) {
        weir_loop_after(c->loop, &c->calls[id], WEIR_SECONDS(TIMEOUT_S), timed_out, c);
        weir_err err = send_call(c, id);
        if (err)
            weir_conn_abort(conn, err);
    }
}

static void on_answer(weir_conn *conn, weir_buf *in, void *user)
{
    client *c = user;
    char frame[FRAME_MAX];
    uint32_t id;
    size_t len = weir_buf_len(in);
    if (len < HEAD_BYTES || !weir_buf_peek_u32(in, &id) || !weir_buf_read(in, frame, len))
        weir_conn_abort(conn, WEIR_EMALFORMED);
    else if (id < c->count && weir_timer_pending(&c->calls[id])) /* else it is too late */
        end_call(c, id, frame[ID_BYTES] ? "no such method: " : "",
                 weir_str_of(frame + HEAD_BYTES, len - HEAD_BYTES));
}

static void on_down(weir_conn *conn WEIR_UNUSED, weir_err why, void *user)
{
    client *c = user;
    if (c->unanswered > 0)
        fprintf(stderr, "connection lost: %s\n", weir_err_text(why));
    weir_loop_quit(c->loop);
}

static void on_connected(weir_connector *connector WEIR_UNUSED, int fd, void *user)
{
    static const weir_conn_ops ops = {.on_up = on_up, .on_message = on_answer, .on_down = on_down};
    client *c = user;
    weir_conn_opts opts = {.codec = weir_codec_prefix(4, FRAME_MAX)};
    if (weir_conn_open_take(&c->conn, c->loop, fd, NULL, &ops, c, &opts))
        weir_loop_quit(c->loop);
}

static void on_failed(weir_connector *connector WEIR_UNUSED, weir_err why,
                      int64_t retry_us WEIR_UNUSED, void *user)
{
    fprintf(stderr, "%s\n", weir_err_text(why));
    weir_loop_quit(((client *)user)->loop);
}

int main(int argc, char **argv)
{
    static const weir_connector_ops ops = {.on_connected = on_connected, .on_failed = on_failed};
    static client c;
    weir_addr addr;
    weir_connector *connector;
    if (argc < 4 || argc - 3 > CALLS_MAX || weir_addr_parse(&addr, argv[1], NULL))
        return 2;
    c.method = (char)atoi(argv[2]);
    c.words = argv + 3;
    c.count = c.unanswered = (uint32_t)argc - 3;
    if (weir_loop_new(&c.loop, NULL) ||
        weir_connector_new(&connector, c.loop, &addr, &ops, &c, NULL))
        return 1;
    weir_connector_start(connector);
    weir_err err = weir_loop_run(c.loop);
    weir_connector_free(connector);
    weir_loop_free(c.loop);
    return err || c.failed || c.unanswered > 0;
}
