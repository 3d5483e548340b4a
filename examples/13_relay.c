/* A relay with rooms: "join ROOM", then each line goes to the others in that room. Try it with
 * several `nc 127.0.0.1 8000`. One loop serves everybody, so there is no lock, and the members are
 * plain pointers. Who is over the high-water mark, a room full of lines, is thrown out. */
#include <stdio.h>
#include <stdlib.h>
#include <weir/net/net.h>

enum {
    TEXT_MAX = 512,
    ROOM_NAME_MAX = 32,
    MEMBERS_MAX = 1000,
    ROOMS = MEMBERS_MAX /* so that there is always one for who joins */
};

/** Without members it is free for another name. */
typedef struct room {
    char name[ROOM_NAME_MAX];
    weir_list members;
} room;

typedef struct member {
    weir_list node; /* in its room, if it has joined one */
    weir_conn *conn;
    room *room;
} member;

static void say(weir_conn *conn, weir_str line)
{
    weir_err err = weir_conn_send_message(conn, line);
    if (err && err != WEIR_ECLOSED)
        weir_conn_abort(conn, err);
}

/** The room of that name, else a free one. */
static room *find_room(room *rooms, const char *name)
{
    room *unused = NULL;
    for (room *r = rooms; r < rooms + ROOMS; r++) {
        if (weir_list_empty(&r->members))
            unused = r;
        else if (strcmp(r->name, name) == 0)
            return r;
    }
    return unused;
}

static void join(member *m, room *rooms, const char *name)
{
    weir_list_remove(&m->node);
    m->room = find_room(rooms, name);
    snprintf(m->room->name, ROOM_NAME_MAX, "%s", name);
    weir_list_append(&m->room->members, &m->node);
    say(m->conn, WEIR_STR("* joined"));
}

static void relay(member *from, weir_str line)
{
    weir_list_each (node, next, &from->room->members) {
        member *to = WEIR_CONTAINER_OF(node, member, node);
        if (to != from)
            say(to->conn, line);
    }
}

static void on_line(weir_conn *conn, weir_buf *in, void *user)
{
    char text[TEXT_MAX + 1] = "", name[ROOM_NAME_MAX];
    size_t len = weir_buf_len(in);
    member *m = weir_conn_data(conn);
    weir_buf_read(in, text, len);
    if (sscanf(text, "join %31s", name) == 1)
        join(m, user, name);
    else if (m->room)
        relay(m, weir_str_of(text, len));
    else
        say(conn, WEIR_STR("* join a room first"));
}

static void on_up(weir_conn *conn, void *user WEIR_UNUSED)
{
    member *m = calloc(1, sizeof *m);
    weir_conn_set_data(conn, m);
    if (m)
        m->conn = conn;
    else
        weir_conn_abort(conn, WEIR_ENOMEM);
}

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
    static room rooms[ROOMS];
    weir_tcp_server_opts opts = {.single_loop = true,
                                 .max_connections = MEMBERS_MAX,
                                 .conn.codec = weir_codec_line(TEXT_MAX)};
    for (room *r = rooms; r < rooms + ROOMS; r++)
        weir_list_init(&r->members);
    return weir_tcp_serve(argc > 1 ? argv[1] : "127.0.0.1:8000", &ops, rooms, &opts) != WEIR_OK;
}
