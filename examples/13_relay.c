/* A relay with rooms: "join ROOM", then each line goes to the others in that room. Try it with
 * several `nc 127.0.0.1 8000`. One loop serves everybody, so there is no lock, members are plain
 * pointers, and a room is just a name that some of them have in common. */
#include <stdio.h>
#include <stdlib.h>
#include <weir/net/net.h>

enum {
    TEXT_MAX = 512,
    MEMBERS_MAX = 1000
};

typedef struct member {
    weir_list node; /* in the list of all */
    weir_conn *conn;
    char room[32]; /* "": none yet */
} member;

static void say(member *to, weir_str line)
{
    weir_err err = weir_conn_send_message(to->conn, line);
    if (err && err != WEIR_ECLOSED)
        weir_conn_abort(to->conn, err);
}

static void relay(weir_list *members, const member *from, weir_str line)
{
    weir_list_each (node, next, members) {
        member *to = WEIR_CONTAINER_OF(node, member, node);
        if (to != from && strcmp(to->room, from->room) == 0)
            say(to, line);
    }
}

static void on_line(weir_conn *conn, weir_buf *in, void *user)
{
    char text[TEXT_MAX + 1] = "";
    size_t len = weir_buf_len(in);
    member *m = weir_conn_data(conn);
    weir_buf_read(in, text, len);
    if (sscanf(text, "join %31s", m->room) == 1)
        say(m, WEIR_STR("* joined"));
    else if (m->room[0])
        relay(user, m, weir_str_of(text, len));
    else
        say(m, WEIR_STR("* join a room first"));
}

static void on_up(weir_conn *conn, void *user)
{
    member *m = calloc(1, sizeof *m);
    weir_conn_set_data(conn, m);
    if (!m) {
        weir_conn_abort(conn, WEIR_ENOMEM);
        return;
    }
    m->conn = conn;
    weir_list_append(user, &m->node);
}

/** One who reads too slowly is thrown out, or the others' lines would fill the memory. */
static void on_high_water(weir_conn *conn, size_t unsent_bytes WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_conn_abort(conn, WEIR_EFULL);
}

static void on_down(weir_conn *conn, weir_err why WEIR_UNUSED, void *user WEIR_UNUSED)
{
    member *m = weir_conn_data(conn);
    if (m)
        weir_list_remove(&m->node);
    free(m);
}

static const weir_conn_ops ops = {
    .on_up = on_up, .on_message = on_line, .on_high_water = on_high_water, .on_down = on_down};

int main(int argc, char **argv)
{
    weir_list members;
    weir_tcp_server_opts opts = {.model = WEIR_TCP_SINGLE,
                                 .max_connections = MEMBERS_MAX,
                                 .conn.codec = weir_codec_line(TEXT_MAX)};
    weir_list_init(&members);
    return weir_tcp_serve(argc > 1 ? argv[1] : "127.0.0.1:8000", &ops, &members, &opts) != WEIR_OK;
}
