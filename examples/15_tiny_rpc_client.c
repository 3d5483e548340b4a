/* Calls 14-tiny-rpc-server: `15-tiny-rpc-client 127.0.0.1:8000 2 WORD...` reverses each word. All
 * calls are sent at once; an answer finds its call by its id; each has a timeout of its own. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/net/net.h>

#define CALLS_MAX  4096
#define FRAME_MAX  4096
#define HEAD_BYTES 5 /* an id, and a method's number or a status */

typedef struct client {
    weir_loop *loop;
    weir_conn *conn;
    weir_timer calls[CALLS_MAX]; /* the index is the id; a call is pending while its timer is */
    char **words;                /* by id */
    uint32_t count, unanswered;
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
    end_call(user, (uint32_t)(timer - ((client *)user)->calls), "timed out", WEIR_STR(""));
}

static void on_up(weir_conn *conn, void *user)
{
    client *c = user;
    char frame[FRAME_MAX];
    c->conn = conn;
    for (uint32_t id = 0; id < c->count; id++) {
        uint32_t wire_id = htonl(id);
        size_t len = strnlen(c->words[id], FRAME_MAX - HEAD_BYTES); /* the rest is cut off */
        memcpy(frame, &wire_id, sizeof wire_id);
        frame[HEAD_BYTES - 1] = c->method;
        memcpy(frame + HEAD_BYTES, c->words[id], len);
        weir_loop_after(c->loop, &c->calls[id], WEIR_SECONDS(1), timed_out, c);
        if (weir_conn_send_message(conn, weir_str_of(frame, HEAD_BYTES + len)))
            weir_conn_abort(conn, WEIR_ENOMEM);
    }
}

static void on_answer(weir_conn *conn, weir_buf *in, void *user)
{
    client *c = user;
    char frame[FRAME_MAX];
    uint32_t id, len = (uint32_t)weir_buf_len(in);
    if (len < HEAD_BYTES || !weir_buf_peek_u32(in, &id) || !weir_buf_read(in, frame, len))
        weir_conn_abort(conn, WEIR_EMALFORMED);
    else if (id < c->count && weir_timer_pending(&c->calls[id])) /* else it is too late */
        end_call(c, id, frame[HEAD_BYTES - 1] ? "no such method: " : "",
                 weir_str_of(frame + HEAD_BYTES, len - HEAD_BYTES));
}

static void on_down(weir_conn *conn WEIR_UNUSED, weir_err why, void *user)
{
    client *c = user;
    if (c->unanswered > 0)
        fprintf(stderr, "connection lost: %s\n", weir_err_text(why));
    weir_loop_quit(c->loop);
}

static void on_failed(weir_tcp_client *tcp WEIR_UNUSED, weir_err err WEIR_UNUSED, const char *why,
                      int64_t retry_us WEIR_UNUSED, void *user)
{
    fprintf(stderr, "%s\n", why);
    weir_loop_quit(((client *)user)->loop);
}

int main(int argc, char **argv)
{
    static const weir_conn_ops ops = {.on_up = on_up, .on_message = on_answer, .on_down = on_down};
    static client c;
    weir_tcp_client *tcp;
    weir_tcp_client_opts opts = {.on_failed = on_failed,
                                 .conn.codec = weir_codec_prefix(4, FRAME_MAX)};
    if (argc < 4 || argc - 3 > CALLS_MAX)
        return 2;
    c.method = (char)atoi(argv[2]);
    c.words = argv + 3;
    c.count = c.unanswered = (uint32_t)argc - 3;
    if (weir_loop_new(&c.loop, NULL) || weir_tcp_client_new(&tcp, c.loop, argv[1], &ops, &c, &opts))
        return 1;
    weir_tcp_client_start(tcp);
    weir_err err = weir_loop_run(c.loop);
    weir_tcp_client_free(tcp);
    weir_loop_free(c.loop);
    return err || c.failed || c.unanswered > 0;
}
