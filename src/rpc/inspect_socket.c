/* The connections of each loop, and the questions that loops are asked about them. */
#include "inspect_impl.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "channel_impl.h"
#include "server_impl.h"

enum {
    LOOPS = 1025,    /* numbers of loops are less: weir_loop_new() */
    LISTINGS = 64,   /* at a time */
    QUESTIONS = 1000 /* at a time */
};

/* The links of the loop with that number; its thread's. */
static weir_list seats[LOOPS];

static weir_list *seat_of(const weir_loop *loop)
{
    weir_list *seat = &seats[weir_loop_number(loop) % LOOPS];
    if (!seat->next)
        weir_list_init(seat);
    return seat;
}

void weir__socket_add(weir__link *link)
{
    weir_list_append(seat_of(weir_conn_loop(link->conn)), &link->socket.node);
}

void weir__socket_remove(weir__link *link)
{
    weir_list_remove(&link->socket.node);
}

/* A connection's id is its weir_conn_id. */

static uint64_t id_of(const weir__link *link)
{
    return weir_conn_id_of(link->conn).value;
}

static bool is_server(const weir__link *link)
{
    return link->ops->request != NULL;
}

static uint64_t owner_of(const weir__link *link)
{
    return is_server(link) ? ((const weir_server *)link->owner)->entity.id
                           : ((const weir__sub *)link->owner)->entity.id;
}

/** NULL: it is gone, or no link's. */
static const weir__link *link_of(weir_loop *loop, uint64_t id)
{
    const weir_conn *conn = weir_conn_get(loop, (weir_conn_id){id});
    bool ours = conn && weir_conn_callbacks(conn)->on_message == weir__link_on_message;
    const weir__link *link = ours ? weir_conn_data(conn) : NULL;
    return link && weir_list_linked(&link->socket.node) ? link : NULL;
}

/* Listing: each loop finds its own, the last one puts them together. */

typedef struct listing listing;

typedef struct part {
    weir_task task;
    listing *listing;
    weir_loop *loop;
    weir_err err;
    weir_inspect_ref *refs; /* the lowest ids, ascending */
    size_t len;
} part;

struct listing {
    uint64_t owner, first;
    size_t max; /* one more than was asked for, which says whether there are more */
    weir_inspect_refs_fn fn;
    void *user;
    atomic_size_t left; /* parts, and who asks them */
    size_t count;
    part parts[];
};

static atomic_uint listings;

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const weir_inspect_ref *)a)->id, y = ((const weir_inspect_ref *)b)->id;
    return x < y ? -1 : x > y;
}

static void answer(listing *l)
{
    size_t len = 0, at = 0;
    weir_err err = WEIR_OK;
    for (size_t i = 0; i < l->count; i++) {
        len += l->parts[i].len;
        err = err ? err : l->parts[i].err;
    }
    weir_inspect_ref *all = malloc((len + 1) * sizeof *all);
    if (!all)
        err = WEIR_ENOMEM;
    for (size_t i = 0; i < l->count && !err; i++) {
        if (l->parts[i].len > 0)
            memcpy(all + at, l->parts[i].refs, l->parts[i].len * sizeof *all);
        at += l->parts[i].len;
    }
    if (at > 0)
        qsort(all, at, sizeof *all, by_id);
    bool end = at < l->max;
    l->fn(err, all, end ? at : l->max - 1, end, l->user);
    free(all);
}

/** One part less; without any it is over. */
static void leave(listing *l)
{
    if (atomic_fetch_sub(&l->left, 1) > 1)
        return;
    answer(l);
    for (size_t i = 0; i < l->count; i++)
        free(l->parts[i].refs);
    free(l);
    atomic_fetch_sub(&listings, 1);
}

/** Puts it among the lowest. */
static void insert(part *p, uint64_t id)
{
    if (p->len == p->listing->max && p->refs[p->len - 1].id < id)
        return;
    size_t at = p->len < p->listing->max ? p->len++ : p->len - 1;
    for (; at > 0 && p->refs[at - 1].id > id; at--)
        p->refs[at] = p->refs[at - 1];
    p->refs[at].id = id;
}

/** Addresses of those that were chosen only: of a unix socket it is a system call. */
static void name_all(part *p)
{
    for (size_t i = 0; i < p->len; i++) {
        const weir__link *link = link_of(p->loop, p->refs[i].id);
        if (link)
            weir_conn_peer_text(link->conn, p->refs[i].name);
        else
            p->refs[i].name[0] = '\0';
    }
}

static void find_all(part *p)
{
    const listing *l = p->listing;
    weir_list_each (node, next, seat_of(p->loop)) {
        const weir__link *link = WEIR_CONTAINER_OF(node, weir__link, socket.node);
        bool lives = weir_conn_get_state(link->conn) != WEIR_CONN_DISCONNECTED;
        if (lives && owner_of(link) == l->owner && id_of(link) >= l->first)
            insert(p, id_of(link));
    }
}

static void collect(weir_task *task, weir_err err)
{
    part *p = WEIR_CONTAINER_OF(task, part, task);
    if (!err) {
        p->refs = malloc(p->listing->max * sizeof *p->refs);
        p->err = p->refs ? WEIR_OK : WEIR_ENOMEM;
    }
    if (p->refs) {
        find_all(p);
        name_all(p);
    }
    leave(p->listing);
}

/** A loop that is gone has no connections. */
static void post_part(part *p, unsigned number)
{
    p->loop = weir_loop_enter(number);
    if (!p->loop) {
        leave(p->listing);
        return;
    }
    weir_loop_post(p->loop, &p->task, collect);
    weir_loop_leave(number);
}

static weir_err start_listing(const listing *asked)
{
    unsigned loops[LOOPS];
    size_t count = weir__inspect_loops(asked->owner, loops, LOOPS);
    if (count == 0)
        return WEIR_ENOENT;
    listing *l = calloc(1, sizeof *l + count * sizeof l->parts[0]);
    if (!l)
        return WEIR_ENOMEM;
    l->owner = asked->owner;
    l->first = asked->first;
    l->max = asked->max;
    l->fn = asked->fn;
    l->user = asked->user;
    l->count = count;
    atomic_init(&l->left, count + 1);
    for (size_t i = 0; i < count; i++) {
        l->parts[i].listing = l;
        post_part(&l->parts[i], loops[i]);
    }
    leave(l);
    return WEIR_OK;
}

weir_err weir_inspect_sockets_post(uint64_t owner, uint64_t first, size_t max,
                                   weir_inspect_refs_fn fn, void *user)
{
    if (max == 0 || max > WEIR_INSPECT_PAGE)
        max = WEIR_INSPECT_PAGE;
    weir_err err = WEIR_EFULL;
    if (atomic_fetch_add(&listings, 1) < LISTINGS)
        err = start_listing(
            &(listing){.owner = owner, .first = first, .max = max + 1, .fn = fn, .user = user});
    if (err)
        atomic_fetch_sub(&listings, 1);
    return err;
}

/* One connection. */

typedef struct question {
    weir_task task;
    weir_loop *loop;
    uint64_t id;
    weir_inspect_socket_fn fn;
    void *user;
} question;

static weir_addr local_of(const weir_conn *conn)
{
    weir_addr addr = {.len = sizeof addr.storage};
    if (getsockname(weir_conn_descriptor(conn), (struct sockaddr *)&addr.storage, &addr.len) != 0)
        addr.len = 0;
    return addr;
}

static void tell(const weir__link *link, weir_inspect_socket *out)
{
    *out = (weir_inspect_socket){
        .id = id_of(link),
        .owner = owner_of(link),
        .is_server = is_server(link),
        .traffic = *weir_grpc_get_traffic(link->grpc),
        .keepalives_sent = link->socket.keepalives_sent,
        .send_window = weir_grpc_send_window(link->grpc),
        .receive_window = weir_grpc_receive_window(link->grpc),
        .local = local_of(link->conn),
        .peer = weir_conn_peer(link->conn),
        .conn = link->conn,
    };
    out->last_stream = weir__inspect_wall(out->traffic.last_stream);
    out->last_sent = weir__inspect_wall(out->traffic.last_sent);
    out->last_received = weir__inspect_wall(out->traffic.last_received);
}

static atomic_uint questions;

static void look(weir_task *task, weir_err err)
{
    question *q = WEIR_CONTAINER_OF(task, question, task);
    const weir__link *link = err ? NULL : link_of(q->loop, q->id);
    weir_inspect_socket socket;
    if (link)
        tell(link, &socket);
    q->fn(link ? &socket : NULL, q->user);
    free(q);
    atomic_fetch_sub(&questions, 1);
}

static weir_err ask(weir_loop *loop, const question *asked)
{
    if (!weir_slots_alive(weir_loop_slots(loop), asked->id))
        return WEIR_ENOENT;
    question *q = malloc(sizeof *q);
    if (!q)
        return WEIR_ENOMEM;
    *q = *asked;
    weir_loop_post(loop, &q->task, look);
    return WEIR_OK;
}

weir_err weir_inspect_socket_post(uint64_t id, weir_inspect_socket_fn fn, void *user)
{
    unsigned number = weir_slot_loop(id);
    weir_loop *loop = weir_loop_enter(number);
    if (!loop)
        return WEIR_ENOENT;
    weir_err err = WEIR_EFULL;
    if (atomic_fetch_add(&questions, 1) < QUESTIONS)
        err = ask(loop, &(question){.loop = loop, .id = id, .fn = fn, .user = user});
    if (err)
        atomic_fetch_sub(&questions, 1);
    weir_loop_leave(number);
    return err;
}
