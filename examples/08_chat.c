/* One chat room: each line goes to everybody else, "/nick NAME" gives a name. Try it with several
 * `nc 127.0.0.1 8000`. The members live in several loops, so they are reached by their ids, from
 * any thread. One whose output is over the high-water mark misses lines until it has read. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/net/net.h>

enum {
    TEXT_MAX = 512,
    MEMBERS_MAX = 1000
};

typedef struct room {
    pthread_mutex_t lock;
    weir_list members;
} room;

typedef struct member {
    weir_list node;
    weir_conn_id id;
    char nick[WEIR_ADDR_TEXT_MAX]; /* used in its own loop only */
} member;

static void enter(weir_conn *conn, void *user)
{
    room *r = user;
    member *m = calloc(1, sizeof *m);
    weir_conn_set_data(conn, m);
    if (!m) {
        weir_conn_abort(conn, WEIR_ENOMEM);
        return;
    }
    m->id = weir_conn_id_of(conn);
    weir_conn_peer_text(conn, m->nick);
    pthread_mutex_lock(&r->lock);
    weir_list_append(&r->members, &m->node);
    pthread_mutex_unlock(&r->lock);
}

static void leave(weir_conn *conn, weir_err why WEIR_UNUSED, void *user)
{
    room *r = user;
    member *m = weir_conn_data(conn);
    if (!m)
        return;
    pthread_mutex_lock(&r->lock);
    weir_list_remove(&m->node);
    pthread_mutex_unlock(&r->lock);
    free(m);
}

/** The lock makes everybody see the lines in one order: what is posted first arrives first. */
static void tell_others(room *r, const member *speaker, const char *line, size_t len)
{
    pthread_mutex_lock(&r->lock);
    weir_list_each (node, next, &r->members) {
        const member *m = WEIR_CONTAINER_OF(node, member, node);
        weir_err err = m == speaker ? WEIR_OK : weir_conn_send_post(m->id, line, len);
        if (err)
            WEIR_LOG_DEBUG("a member misses a line: %s", weir_err_text(err));
    }
    pthread_mutex_unlock(&r->lock);
}

static void on_line(weir_conn *conn, weir_buf *in, void *user)
{
    static const char command[] = "/nick ";
    member *m = weir_conn_data(conn);
    char text[TEXT_MAX + 1] = "";
    char line[sizeof m->nick + sizeof text + 4];
    weir_buf_read(in, text, weir_buf_len(in));
    if (strncmp(text, command, sizeof command - 1) == 0) {
        snprintf(m->nick, sizeof m->nick, "%.31s", text + sizeof command - 1);
        return;
    }
    int len = snprintf(line, sizeof line, "%s: %s\n", m->nick, text);
    tell_others(user, m, line, (size_t)len);
}

static const weir_conn_ops chat = {.on_up = enter, .on_message = on_line, .on_down = leave};

int main(int argc, char **argv)
{
    room r = {.lock = PTHREAD_MUTEX_INITIALIZER};
    weir_tcp_server_opts opts = {.max_connections = MEMBERS_MAX,
                                 .conn.codec = weir_codec_line(TEXT_MAX)};
    weir_list_init(&r.members);
    return weir_tcp_serve(argc > 1 ? argv[1] : "127.0.0.1:8000", &chat, &r, &opts) != WEIR_OK;
}
