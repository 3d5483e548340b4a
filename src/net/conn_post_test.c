#include "conn_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    THREADS = 8,
    RECORDS = 2000
};

/* A record is a byte of length, the thread, a number and that many bytes of the thread's letter. */
struct sender {
    weir_conn_id id;
    unsigned char thread;
    weir_err err;
};

static void *send_records(void *user)
{
    struct sender *s = user;
    for (uint16_t i = 0; i < RECORDS; i++) {
        unsigned char record[260] = {(unsigned char)(i % 251), s->thread, (unsigned char)(i >> 8),
                                     (unsigned char)i};
        memset(record + 4, 'a' + s->thread, record[0]);
        do {
            s->err = weir_conn_send_post(s->id, record, 4u + record[0]);
        } while (s->err == WEIR_EAGAIN && sched_yield() == 0);
        if (s->err)
            break;
    }
    return NULL;
}

/** Takes whole records from `bytes`. @return how many bytes they were */
static size_t check_records(const unsigned char *bytes, size_t len, uint16_t next[THREADS])
{
    size_t at = 0;
    while (len - at >= 4 && len - at >= 4u + bytes[at]) {
        unsigned char thread = bytes[at + 1];
        assert_true(thread < THREADS);
        assert_int_equal(bytes[at + 2] << 8 | bytes[at + 3], next[thread]++);
        for (size_t i = 0; i < bytes[at]; i++)
            assert_int_equal(bytes[at + 4 + i], 'a' + thread);
        at += 4u + bytes[at];
    }
    return at;
}

static void receive_records(struct peer *p)
{
    static unsigned char bytes[65536];
    uint16_t next[THREADS] = {0};
    size_t len = 0, all = 0;
    while (all < THREADS * RECORDS) {
        assert_ok(weir_loop_run_once(p->loop, WEIR_MILLISECONDS(1)));
        ssize_t n = recv(p->fd, bytes + len, sizeof bytes - len, 0);
        len += n > 0 ? (size_t)n : 0;
        size_t used = check_records(bytes, len, next);
        memmove(bytes, bytes + used, len - used);
        len -= used;
        all = 0;
        for (int i = 0; i < THREADS; i++)
            all += next[i];
    }
}

TEST(conn_post, sends_of_many_threads_arrive_whole_and_each_threads_in_order)
{
    struct peer p = {0};
    pthread_t threads[THREADS];
    struct sender senders[THREADS];
    open_peer(&p, SOCK_STREAM, &peer_ops, &(weir_conn_opts){.high_water = 20000});
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){weir_conn_id_of(p.conn), (unsigned char)i, WEIR_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, send_records, &senders[i]), 0);
    }
    receive_records(&p);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(senders[i].err);
    }
    close_peer(&p);
}

TEST(conn_post, a_long_post_is_sent_from_where_it_is)
{
    enum {
        LONG = 100000
    };
    struct peer p = {0};
    char *bytes = calloc(1, LONG);
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    assert_ok(weir_conn_send_post(weir_conn_id_of(p.conn), bytes, LONG));
    assert_ok(weir_conn_close_post(weir_conn_id_of(p.conn)));
    free(bytes);
    assert_int_equal(peer_drains(&p), LONG);
    close_peer(&p);
}

TEST(conn_post, a_gone_connection_says_so)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    weir_conn_id id = weir_conn_id_of(p.conn);
    assert_err(weir_conn_send_post((weir_conn_id){0}, "x", 1), WEIR_ECLOSED);
    assert_ok(weir_conn_send_post(id, "x", 1));
    weir_conn_close(p.conn);
    assert_err(weir_conn_send_post(id, "x", 1), WEIR_ECLOSED);
    run_until(p.loop, !p.conn);
    assert_err(weir_conn_send_post(id, "x", 1), WEIR_ECLOSED);
    assert_ok(weir_conn_close_post(id));
    close_peer(&p);
    assert_err(weir_conn_send_post(id, "x", 1), WEIR_ECLOSED);
    assert_ok(weir_conn_close_post(id));
}

TEST(conn_post, it_stops_at_the_high_water_mark_and_low_water_says_when_to_go_on)
{
    static const char block[4000];
    static char scrap[65536];
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, &(weir_conn_opts){.high_water = 10000});
    weir_conn_id id = weir_conn_id_of(p.conn);
    int sent = 0;
    weir_err err;
    while (!(err = weir_conn_send_post(id, block, sizeof block)))
        sent++;
    assert_err(err, WEIR_EAGAIN);
    assert_int_equal(sent, 3);
    run_until(p.loop, strstr(p.calls, "low"));

    /* What the kernel does not take counts as well. */
    while (weir_conn_unsent(p.conn) < 10000) {
        assert_ok(weir_conn_send(p.conn, block, sizeof block));
        assert_ok(weir_loop_run_once(p.loop, 0));
    }
    assert_err(weir_conn_send_post(id, block, sizeof block), WEIR_EAGAIN);
    run_until(p.loop, (recv(p.fd, scrap, sizeof scrap, 0), weir_conn_unsent(p.conn) == 0));
    assert_ok(weir_conn_send_post(id, block, sizeof block));
    settle(p.loop);
    close_peer(&p);
}

TEST(conn_post, what_is_queued_when_the_loop_ends_is_dropped)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    assert_ok(weir_conn_send_post(weir_conn_id_of(p.conn), "x", 1));
    assert_ok(weir_conn_close_post(weir_conn_id_of(p.conn)));
    weir_conn_abort(p.conn, WEIR_OK);
    weir_loop_free(p.loop);
    assert_string_equal(p.calls, "up down ");
    close(p.fd);
}

TEST(conn_post, another_thread_may_abort_one_that_does_not_read)
{
    static const char block[65536];
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    while (weir_conn_unsent(p.conn) == 0) {
        assert_ok(weir_conn_send(p.conn, block, sizeof block));
        assert_ok(weir_loop_run_once(p.loop, 0));
    }
    weir_conn_id id = weir_conn_id_of(p.conn);
    assert_ok(weir_conn_abort_post(id, WEIR_EFULL));
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_EFULL);
    assert_ok(weir_conn_abort_post(id, WEIR_EFULL));
    close_peer(&p);
}

/* Work that comes back */

struct visit {
    weir_conn_id id;
    int ran;
    weir_conn *conn;
};

static void note_visit(weir_conn *conn, void *user)
{
    struct visit *v = user;
    v->ran++;
    v->conn = conn;
}

TEST(conn_post, a_function_runs_in_its_loop_and_is_told_when_it_is_gone)
{
    struct peer p = {0};
    struct visit v = {.ran = 0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    v.id = weir_conn_id_of(p.conn);
    assert_ok(weir_conn_run_post(v.id, note_visit, &v));
    assert_int_equal(v.ran, 0);
    run_until(p.loop, v.ran == 1);
    assert_ptr_equal(v.conn, p.conn);
    assert_ok(weir_conn_run_post(v.id, note_visit, &v));
    weir_conn_abort(p.conn, WEIR_OK);
    assert_err(weir_conn_run_post(v.id, note_visit, &v), WEIR_ECLOSED);
    run_until(p.loop, v.ran == 2);
    assert_null(v.conn);
    close_peer(&p);
    assert_err(weir_conn_run_post(v.id, note_visit, &v), WEIR_ECLOSED);
    assert_int_equal(v.ran, 2);
}
