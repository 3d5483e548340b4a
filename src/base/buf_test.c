#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/buf.h>

/** A buffer on a pool of its own, and what the pool has handed out. */
typedef struct fixture {
    weir_pool *pool;
    weir_buf buf;
    weir_buf other;
} fixture;

static fixture set_up(size_t limit_bytes)
{
    fixture f;
    assert_ok(weir_pool_new(&f.pool, &(weir_pool_opts){.limit_bytes = limit_bytes}));
    weir_buf_init(&f.buf, f.pool);
    weir_buf_init(&f.other, f.pool);
    return f;
}

static size_t used_bytes(const fixture *f)
{
    weir_pool_stats stats;
    weir_pool_get_stats(f->pool, &stats);
    return stats.used_bytes;
}

static void tear_down(fixture *f)
{
    weir_buf_clear(&f->buf);
    weir_buf_clear(&f->other);
    assert_int_equal(used_bytes(f), 0);
    weir_pool_free(f->pool);
}

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 31 + i / 251);
}

static void append_pattern(weir_buf *buf, size_t from, size_t len)
{
    unsigned char *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(from + i);
    assert_ok(weir_buf_append(buf, bytes, len));
    free(bytes);
}

static void assert_pattern(weir_buf *buf, size_t from, size_t len)
{
    unsigned char *bytes = malloc(len + 1);
    assert_true(weir_buf_read(buf, bytes, len));
    for (size_t i = 0; i < len; i++)
        assert_int_equal(bytes[i], byte_at(from + i));
    free(bytes);
}

TEST(buf, bytes_come_out_as_they_went_in)
{
    fixture f = set_up(0);
    append_pattern(&f.buf, 0, 100000);
    append_pattern(&f.buf, 100000, 1);
    assert_int_equal(weir_buf_len(&f.buf), 100001);
    for (size_t at = 0, step = 1; at < 100001; at += step, step = step * 2 % 4093 + 1) {
        if (step > 100001 - at)
            step = 100001 - at;
        assert_pattern(&f.buf, at, step);
    }
    assert_int_equal(weir_buf_len(&f.buf), 0);
    tear_down(&f);
}

TEST(buf, an_empty_buffer_holds_no_memory)
{
    fixture f = set_up(0);
    append_pattern(&f.buf, 0, 40000);
    weir_buf_retrieve(&f.buf, 40000);
    assert_int_equal(used_bytes(&f), 0);
    assert_non_null(weir_buf_reserve(&f.buf, 10));
    weir_buf_commit(&f.buf, 0);
    assert_int_equal(used_bytes(&f), 0);
    assert_ok(weir_buf_append(&f.buf, NULL, 0));
    assert_ok(weir_buf_prepend(&f.buf, NULL, 0));
    assert_int_equal(used_bytes(&f), 0);
    assert_int_equal(weir_buf_front(&f.buf).len, 0);
    tear_down(&f);
}

TEST(buf, a_small_message_takes_a_small_block)
{
    fixture f = set_up(0);
    append_pattern(&f.buf, 0, 100);
    assert_in_range(used_bytes(&f), 100, 2048);
    tear_down(&f);
}

TEST(buf, too_few_bytes_are_said_and_nothing_is_taken)
{
    fixture f = set_up(0);
    char out[8];
    uint32_t number;
    assert_ok(weir_buf_append(&f.buf, "abc", 3));
    assert_false(weir_buf_peek(&f.buf, out, 4));
    assert_false(weir_buf_read(&f.buf, out, 4));
    assert_false(weir_buf_peek_u32(&f.buf, &number));
    assert_null(weir_buf_pullup(&f.buf, 4));
    assert_int_equal(weir_buf_len(&f.buf), 3);
    weir_buf_retrieve(&f.buf, 1000);
    assert_int_equal(weir_buf_len(&f.buf), 0);
    tear_down(&f);
}

TEST(buf, pullup_joins_what_lies_in_several_blocks)
{
    fixture f = set_up(0);
    append_pattern(&f.buf, 0, 50000);
    const unsigned char *p = (const unsigned char *)weir_buf_pullup(&f.buf, 40000);
    assert_non_null(p);
    for (size_t i = 0; i < 40000; i++)
        assert_int_equal(p[i], byte_at(i));
    append_pattern(&f.buf, 50000, 10);
    assert_pattern(&f.buf, 0, 50010);
    tear_down(&f);
}

TEST(buf, a_length_goes_in_front_without_copying_the_payload)
{
    fixture f = set_up(0);
    append_pattern(&f.buf, 4, 1000);
    const char *payload = weir_buf_front(&f.buf).ptr;
    unsigned char head[4] = {byte_at(0), byte_at(1), byte_at(2), byte_at(3)};
    assert_ok(weir_buf_prepend(&f.buf, head, 4));
    assert_ptr_equal(weir_buf_front(&f.buf).ptr, payload - 4);
    assert_pattern(&f.buf, 0, 1004);
    tear_down(&f);
}

TEST(buf, prepending_more_than_the_room_takes_a_block)
{
    fixture f = set_up(0);
    append_pattern(&f.buf, 300, 10);
    for (size_t i = 300; i-- > 0;) {
        unsigned char c = byte_at(i);
        assert_ok(weir_buf_prepend(&f.buf, &c, 1));
    }
    append_pattern(&f.buf, 310, 100);
    assert_pattern(&f.buf, 0, 410);
    tear_down(&f);
}

TEST(buf, reserved_room_counts_once_it_is_committed)
{
    fixture f = set_up(0);
    for (size_t i = 0; i < 100; i++) {
        unsigned char *room = weir_buf_reserve(&f.buf, 16000);
        assert_non_null(room);
        memset(room, 0xEE, 16000);
        size_t len = i * 7 % 300;
        for (size_t j = 0; j < len; j++)
            room[j] = byte_at(weir_buf_len(&f.buf) + j);
        weir_buf_commit(&f.buf, len);
    }
    assert_pattern(&f.buf, 0, weir_buf_len(&f.buf));
    tear_down(&f);
}

TEST(buf, an_abandoned_reservation_is_not_seen)
{
    fixture f = set_up(0);
    assert_non_null(weir_buf_reserve(&f.buf, 5000));
    assert_ok(weir_buf_append_ref(&f.buf, "abc", 3, NULL, NULL));
    assert_str(weir_buf_front(&f.buf), "abc");
    struct iovec iov[4];
    assert_int_equal(weir_buf_iov(&f.buf, iov, 4), 1);
    assert_int_equal(weir_buf_find(&f.buf, 0, WEIR_STR("c")), 2);
    tear_down(&f);
}

TEST(buf, moving_everything_copies_nothing)
{
    fixture f = set_up(0);
    append_pattern(&f.buf, 0, 50000);
    const char *bytes = weir_buf_front(&f.buf).ptr;
    weir_buf_move(&f.other, &f.buf);
    assert_int_equal(weir_buf_len(&f.buf), 0);
    assert_ptr_equal(weir_buf_front(&f.other).ptr, bytes);
    append_pattern(&f.buf, 50000, 10);
    weir_buf_move(&f.other, &f.buf);
    weir_buf_move(&f.other, &f.buf);
    assert_pattern(&f.other, 0, 50010);
    tear_down(&f);
}

TEST(buf, a_cut_block_is_shared_and_both_parts_go_on)
{
    fixture f = set_up(0);
    append_pattern(&f.buf, 0, 1000);
    const char *bytes = weir_buf_front(&f.buf).ptr;
    assert_ok(weir_buf_move_len(&f.other, &f.buf, 400));
    assert_ptr_equal(weir_buf_front(&f.other).ptr, bytes);
    assert_ptr_equal(weir_buf_front(&f.buf).ptr, bytes + 400);
    /* What is added at the cut, on either side of it, must not be seen on the other. */
    append_pattern(&f.other, 400, 50);
    assert_ok(weir_buf_prepend(&f.buf, "12345678", 8));
    append_pattern(&f.buf, 1000, 3000);
    char head[8];
    assert_true(weir_buf_read(&f.buf, head, 8));
    assert_memory_equal(head, "12345678", 8);
    assert_pattern(&f.other, 0, 450);
    assert_pattern(&f.buf, 400, 3600);
    tear_down(&f);
}

static void count_release(void *user)
{
    ++*(int *)user;
}

TEST(buf, referenced_bytes_are_released_once_by_whoever_is_last)
{
    fixture f = set_up(0);
    char bytes[100];
    int released = 0;
    memset(bytes, 'x', sizeof bytes);
    assert_ok(weir_buf_append_ref(&f.buf, bytes, sizeof bytes, count_release, &released));
    assert_ptr_equal(weir_buf_front(&f.buf).ptr, bytes);
    assert_ok(weir_buf_move_len(&f.other, &f.buf, 40));
    weir_buf_clear(&f.buf);
    assert_int_equal(released, 0);
    assert_ok(weir_buf_append(&f.other, "after", 5));
    assert_ok(weir_buf_prepend(&f.other, "before", 6));
    assert_int_equal(bytes[0], 'x');
    weir_buf_retrieve(&f.other, 46);
    assert_int_equal(released, 1);
    assert_str(weir_buf_front(&f.other), "after");
    tear_down(&f);
}

TEST(buf, a_reference_to_nothing_or_without_memory_is_released_at_once)
{
    fixture f = set_up(64);
    int released = 0;
    assert_ok(weir_buf_append_ref(&f.buf, "", 0, count_release, &released));
    assert_int_equal(released, 1);
    assert_err(weir_buf_append_ref(&f.buf, "abc", 3, count_release, &released), WEIR_ENOMEM);
    assert_int_equal(released, 2);
    tear_down(&f);
}

TEST(buf, out_of_memory_changes_nothing)
{
    fixture f = set_up(40000);
    append_pattern(&f.buf, 0, 20000);
    static char large[50000];
    assert_err(weir_buf_append(&f.buf, large, sizeof large), WEIR_ENOMEM);
    assert_err(weir_buf_prepend(&f.buf, large, sizeof large), WEIR_ENOMEM);
    assert_null(weir_buf_reserve(&f.other, SIZE_MAX));
    assert_null(weir_buf_pullup(&f.buf, 20000));
    assert_pattern(&f.buf, 0, 20000);
    tear_down(&f);
}

TEST(buf, a_needle_is_found_across_blocks)
{
    fixture f = set_up(0);
    static const char text[] = "abababac\r\rabab\r\n.........................";
    for (size_t i = 0; i < 40; i++) /* every byte in a block of its own */
        assert_ok(weir_buf_append_ref(&f.buf, text + i, 1, NULL, NULL));
    assert_int_equal(weir_buf_find(&f.buf, 0, WEIR_STR("ababac")), 2);
    assert_int_equal(weir_buf_find(&f.buf, 3, WEIR_STR("abab")), 10);
    assert_int_equal(weir_buf_find_crlf(&f.buf), 14);
    assert_int_equal(weir_buf_find(&f.buf, 15, WEIR_STR("\r\n")), -1);
    assert_int_equal(weir_buf_find(&f.buf, 39, WEIR_STR(".")), 39);
    assert_int_equal(weir_buf_find(&f.buf, 39, WEIR_STR("..")), -1);
    assert_int_equal(weir_buf_find(&f.buf, 1000, WEIR_STR(".")), -1);
    assert_int_equal(weir_buf_find(&f.buf, 0, WEIR_STR("")), -1);
    tear_down(&f);
}

TEST(buf, few_bytes_in_large_blocks_shrink_and_many_stay_where_they_are)
{
    fixture f = set_up(0);
    weir_buf_shrink(&f.buf);
    for (int i = 0; i < 2; i++) {
        char *room = weir_buf_reserve(&f.buf, 16000);
        memcpy(room, "half a message", 14);
        weir_buf_commit(&f.buf, 14);
    }
    assert_true(used_bytes(&f) > 16000);
    weir_buf_shrink(&f.buf);
    assert_true(used_bytes(&f) <= 2048);
    assert_int_equal(weir_buf_len(&f.buf), 28);
    assert_memory_equal(weir_buf_pullup(&f.buf, 28), "half a messagehalf a message", 28);
    weir_buf_clear(&f.buf);

    append_pattern(&f.buf, 0, 5000);
    const char *before = weir_buf_front(&f.buf).ptr;
    weir_buf_shrink(&f.buf);
    assert_ptr_equal(weir_buf_front(&f.buf).ptr, before);
    assert_pattern(&f.buf, 0, 5000);
    tear_down(&f);
}

TEST(buf, integers_are_in_network_order)
{
    fixture f = set_up(0);
    assert_ok(weir_buf_append_u8(&f.buf, 0x12));
    assert_ok(weir_buf_append_u16(&f.buf, 0x3456));
    assert_ok(weir_buf_append_u32(&f.buf, 0x789abcde));
    assert_ok(weir_buf_append_u64(&f.buf, 0xf00102030405aa55));
    assert_str(weir_buf_front(&f.buf),
               "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x01\x02\x03\x04\x05\xaa\x55");
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    assert_true(weir_buf_peek_u8(&f.buf, &a));
    assert_int_equal(a, 0x12);
    assert_true(weir_buf_peek_u16(&f.buf, &b));
    assert_int_equal(b, 0x1234);
    assert_true(weir_buf_peek_u32(&f.buf, &c));
    assert_int_equal(c, 0x12345678);
    assert_true(weir_buf_peek_u64(&f.buf, &d));
    assert_true(d == 0x123456789abcdef0);
    tear_down(&f);
}

TEST(buf, what_is_written_to_a_pipe_is_read_from_it)
{
    fixture f = set_up(0);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    append_pattern(&f.buf, 0, 60000);
    while (weir_buf_len(&f.buf) > 0) {
        assert_true(weir_buf_writev(&f.buf, ends[1]) > 0);
        while (weir_buf_len(&f.other) + weir_buf_len(&f.buf) < 60000)
            assert_true(weir_buf_readv(&f.other, ends[0], 10001, NULL) > 0);
    }
    assert_pattern(&f.other, 0, 60000);
    close(ends[1]);
    assert_int_equal(weir_buf_readv(&f.other, ends[0], 100, NULL), 0);
    close(ends[0]);
    assert_int_equal(weir_buf_readv(&f.other, ends[0], 100, NULL), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(weir_buf_writev(&f.other, ends[1]), 0);
    assert_int_equal(used_bytes(&f), 0);
    tear_down(&f);
}

TEST(buf, reading_without_memory_or_room_is_an_error)
{
    fixture f = set_up(64);
    assert_int_equal(weir_buf_readv(&f.buf, 0, 100, NULL), -1);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(weir_buf_readv(&f.buf, 0, 0, NULL), -1);
    assert_int_equal(errno, EINVAL);
    tear_down(&f);
}

/** What two buffers should hold. */
struct model {
    unsigned char bytes[2][1 << 17];
    size_t len[2];
};

static void model_append(struct model *m, int i, const void *bytes, size_t len)
{
    memcpy(m->bytes[i] + m->len[i], bytes, len);
    m->len[i] += len;
}

static void model_drop(struct model *m, int i, size_t len)
{
    memmove(m->bytes[i], m->bytes[i] + len, m->len[i] - len);
    m->len[i] -= len;
}

static void random_step(struct model *m, weir_buf *bufs, int i)
{
    static unsigned char bytes[40000];
    size_t len = (size_t)rand() % (rand() % 8 ? 200 : sizeof bytes);
    size_t part = m->len[i] ? (size_t)rand() % (m->len[i] + 1) : 0;
    memset(bytes, rand() % 256, len);
    int op = rand() % 6;
    if (op < 2 && m->len[i] + len < sizeof m->bytes[0]) {
        assert_ok(weir_buf_append(&bufs[i], bytes, len));
        model_append(m, i, bytes, len);
    } else if (op == 2 && m->len[i] + len < sizeof m->bytes[0]) {
        assert_ok(weir_buf_prepend(&bufs[i], bytes, len));
        memmove(m->bytes[i] + len, m->bytes[i], m->len[i]);
        memcpy(m->bytes[i], bytes, len);
        m->len[i] += len;
    } else if (op == 3 && m->len[!i] + part < sizeof m->bytes[0]) {
        assert_ok(weir_buf_move_len(&bufs[!i], &bufs[i], part));
        model_append(m, !i, m->bytes[i], part);
        model_drop(m, i, part);
    } else if (op == 4) {
        weir_buf_retrieve(&bufs[i], part);
        model_drop(m, i, part);
    } else if (op == 5) {
        const char *p = weir_buf_pullup(&bufs[i], part);
        assert_non_null(p);
        assert_memory_equal(p, m->bytes[i], part);
    }
}

TEST(buf, random_steps_agree_with_a_plain_array)
{
    static struct model m;
    static unsigned char out[sizeof m.bytes[0]];
    fixture f = set_up(0);
    weir_buf *bufs = malloc(2 * sizeof *bufs);
    weir_buf_init(&bufs[0], f.pool);
    weir_buf_init(&bufs[1], f.pool);
    srand(4711);
    for (int step = 0; step < 6000; step++) {
        int i = rand() % 2;
        random_step(&m, bufs, i);
        assert_int_equal(weir_buf_len(&bufs[i]), m.len[i]);
        assert_true(weir_buf_peek(&bufs[i], out, m.len[i]));
        assert_memory_equal(out, m.bytes[i], m.len[i]);
    }
    weir_buf_clear(&bufs[0]);
    weir_buf_clear(&bufs[1]);
    free(bufs);
    tear_down(&f);
}

TEST(buf, bytes_are_seen_at_any_offset_across_blocks)
{
    weir_buf buf;
    weir_buf_init(&buf, NULL);
    for (int i = 0; i < 30000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        assert_ok(weir_buf_append(&buf, &byte, 1));
    }
    uint8_t two[2];
    for (size_t at = 0; at + 2 <= 30000; at++) {
        assert_true(weir_buf_peek_at(&buf, at, two, 2));
        assert_int_equal(two[0], (uint8_t)(at * 7));
        assert_int_equal(two[1], (uint8_t)((at + 1) * 7));
    }
    assert_false(weir_buf_peek_at(&buf, 29999, two, 2));
    assert_false(weir_buf_peek_at(&buf, SIZE_MAX, two, 2));
    assert_true(weir_buf_peek_at(&buf, 30000, two, 0));
    weir_buf_clear(&buf);
}
