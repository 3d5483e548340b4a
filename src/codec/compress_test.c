#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <weir/codec/compression.h>

static const weir_compression real[] = {WEIR_COMPRESSION_DEFLATE, WEIR_COMPRESSION_GZIP,
                                        WEIR_COMPRESSION_ZSTD};

enum {
    REAL = sizeof real / sizeof *real,
    ROOM = 1 << 20
};

/** Compressors with a clock, and a pool that counts. */
typedef struct fixture {
    weir_timers timers;
    weir_compressors *compressors;
    weir_pool *pool;
    uint8_t out[ROOM]; /* what was compressed last */
    size_t len;
} fixture;

static fixture *open_fixture(size_t pool_bytes)
{
    fixture *f = calloc(1, sizeof *f);
    weir_timers_init(&f->timers, (weir_time){WEIR_SECONDS(1000)});
    assert_ok(weir_compressors_new(&f->compressors, &f->timers));
    assert_ok(weir_pool_new(&f->pool, &(weir_pool_opts){.limit_bytes = pool_bytes}));
    return f;
}

/** weir_pool_free() tells of blocks that were not given back. */
static void close_fixture(fixture *f)
{
    weir_compressors_free(f->compressors);
    weir_pool_free(f->pool);
    free(f);
}

static void compress(fixture *f, weir_compression how, weir_str message)
{
    assert_ok(weir_compress(f->compressors, how, message, f->out, ROOM, &f->len));
}

static weir_err decompress(fixture *f, weir_compression how, weir_str bytes, size_t limit,
                           weir_str expected)
{
    uint8_t *block;
    size_t size, len;
    const char *why;
    weir_err err =
        weir_decompress(f->compressors, how, bytes, limit, f->pool, &block, &size, &len, &why);
    if (err)
        return err;
    assert_true(len <= limit);
    if (expected.ptr) {
        assert_int_equal(len, expected.len);
        assert_memory_equal(block, expected.ptr, len);
    }
    weir_pool_put(f->pool, block, size);
    return WEIR_OK;
}

/** Text that compresses well, but not to nothing. */
static weir_str some_text(size_t len)
{
    static char text[300000];
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i * i / 7 % 11);
    return weir_str_of(text, len);
}

static weir_str noise(size_t len)
{
    static char bytes[300000];
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes[i] = (char)x;
    }
    return weir_str_of(bytes, len);
}

TEST(compress, names_are_those_of_grpc)
{
    assert_string_equal(weir_compression_name(WEIR_COMPRESSION_DEFAULT), "identity");
    assert_string_equal(weir_compression_name((weir_compression)99), "identity");
    assert_int_equal(weir_compression_from_name(WEIR_STR("identity")), WEIR_COMPRESSION_IDENTITY);
    assert_int_equal(weir_compression_from_name(WEIR_STR("deflate")), WEIR_COMPRESSION_DEFLATE);
    assert_int_equal(weir_compression_from_name(WEIR_STR("gzip")), WEIR_COMPRESSION_GZIP);
    assert_int_equal(weir_compression_from_name(WEIR_STR("zstd")), WEIR_COMPRESSION_ZSTD);
    assert_int_equal(weir_compression_from_name(WEIR_STR("GZIP")), WEIR_COMPRESSION_DEFAULT);
    assert_int_equal(weir_compression_from_name(WEIR_STR("")), WEIR_COMPRESSION_DEFAULT);
}

TEST(compress, every_encoding_goes_there_and_back_for_every_size)
{
    static const size_t sizes[] = {0, 1, 127, 1023, 1024, 1025, 65536, 300000};
    fixture *f = open_fixture(0);
    for (int i = 0; i < REAL; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            compress(f, real[i], some_text(sizes[s]));
            assert_ok(
                decompress(f, real[i], weir_str_of(f->out, f->len), 300000, some_text(sizes[s])));
        }
    }
    assert_int_equal(weir_compressors_contexts(f->compressors), 2 * REAL);
    close_fixture(f);
}

TEST(compress, identity_is_not_for_here)
{
    fixture *f = open_fixture(0);
    assert_err(weir_compress(f->compressors, WEIR_COMPRESSION_IDENTITY, WEIR_STR("x"), f->out, ROOM,
                             &f->len),
               WEIR_EINVAL);
    assert_err(decompress(f, WEIR_COMPRESSION_DEFAULT, WEIR_STR("x"), 100, WEIR_STR("")),
               WEIR_EINVAL);
    assert_err(decompress(f, (weir_compression)77, WEIR_STR("x"), 100, WEIR_STR("")), WEIR_EINVAL);
    close_fixture(f);
}

TEST(compress, what_would_not_become_smaller_does_not_fit_and_harms_nothing)
{
    fixture *f = open_fixture(0);
    for (int i = 0; i < REAL; i++) {
        weir_str bytes = noise(100000);
        assert_err(weir_compress(f->compressors, real[i], bytes, f->out, bytes.len - 1, &f->len),
                   WEIR_EMSGSIZE);
        compress(f, real[i], some_text(5000));
        assert_ok(decompress(f, real[i], weir_str_of(f->out, f->len), 5000, some_text(5000)));
    }
    close_fixture(f);
}

TEST(compress, the_limit_is_exact)
{
    fixture *f = open_fixture(0);
    for (int i = 0; i < REAL; i++) {
        for (size_t size = 1020; size < 1030; size++) {
            compress(f, real[i], some_text(size));
            weir_str bytes = weir_str_of(f->out, f->len);
            assert_ok(decompress(f, real[i], bytes, size, some_text(size)));
            assert_err(decompress(f, real[i], bytes, size - 1, some_text(size)), WEIR_EMSGSIZE);
        }
    }
    close_fixture(f);
}

TEST(compress, cut_data_is_malformed_at_every_length)
{
    fixture *f = open_fixture(0);
    for (int i = 0; i < REAL; i++) {
        compress(f, real[i], some_text(2000));
        for (size_t len = 0; len < f->len; len++)
            assert_err(
                decompress(f, real[i], weir_str_of(f->out, len), 10000, weir_str_of(NULL, 0)),
                WEIR_EMALFORMED);
    }
    close_fixture(f);
}

TEST(compress, data_that_goes_on_behind_its_end_is_malformed)
{
    fixture *f = open_fixture(0);
    for (int i = 0; i < REAL; i++) {
        compress(f, real[i], some_text(2000));
        memcpy(f->out + f->len, f->out, f->len); /* another whole one is no better */
        assert_err(decompress(f, real[i], weir_str_of(f->out, f->len + 1), 10000, WEIR_STR("")),
                   WEIR_EMALFORMED);
        assert_err(decompress(f, real[i], weir_str_of(f->out, 2 * f->len), 10000, WEIR_STR("")),
                   WEIR_EMALFORMED);
    }
    close_fixture(f);
}

TEST(compress, changed_bytes_never_harm)
{
    fixture *f = open_fixture(0);
    for (int i = 0; i < REAL; i++) {
        compress(f, real[i], some_text(500));
        for (size_t at = 0; at < f->len; at++) {
            for (int bit = 0; bit < 8; bit++) {
                f->out[at] ^= (uint8_t)(1 << bit);
                weir_err err =
                    decompress(f, real[i], weir_str_of(f->out, f->len), 1000, weir_str_of(NULL, 0));
                f->out[at] ^= (uint8_t)(1 << bit);
                assert_true(err == WEIR_OK || err == WEIR_EMALFORMED || err == WEIR_EMSGSIZE);
            }
        }
        assert_ok(decompress(f, real[i], weir_str_of(f->out, f->len), 500, some_text(500)));
    }
    close_fixture(f);
}

/* Bombs. */

enum {
    LIMIT = 1 << 20,
    BLOCK = 128 << 10
};

TEST(compress, a_bomb_ends_at_the_limit_and_takes_no_more_memory_than_that)
{
    enum {
        SIZE = 64 << 20
    };
    fixture *f = open_fixture(2 * LIMIT + 4096);
    char *zeros = calloc(1, SIZE);
    for (int i = 0; i < REAL; i++) {
        compress(f, real[i], weir_str_of(zeros, SIZE));
        assert_err(decompress(f, real[i], weir_str_of(f->out, f->len), LIMIT, WEIR_STR("")),
                   WEIR_EMSGSIZE);
    }
    free(zeros);
    weir_pool_stats stats;
    weir_pool_get_stats(f->pool, &stats);
    assert_int_equal(stats.refused, 0);
    close_fixture(f);
}

/** A zstd frame with that window whose blocks are one byte each, 128 KiB times over. */
static size_t zstd_bomb(uint8_t *out, unsigned window_log, size_t blocks)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd, 0};
    memcpy(out, magic, sizeof magic);
    size_t len = sizeof magic;
    out[len++] = (uint8_t)((window_log - 10) << 3);
    for (size_t i = 0; i < blocks; i++) {
        uint32_t header = BLOCK << 3 | 1 << 1 | (i + 1 == blocks);
        out[len++] = (uint8_t)header;
        out[len++] = (uint8_t)(header >> 8);
        out[len++] = (uint8_t)(header >> 16);
        out[len++] = 'x';
    }
    return len;
}

TEST(compress, a_gibibyte_in_32_kilobytes_of_zstd_ends_at_the_limit)
{
    fixture *f = open_fixture(2 * LIMIT + 4096);
    size_t len = zstd_bomb(f->out, 23, (size_t)1 << 13);
    assert_true(len < 33000);
    assert_err(decompress(f, WEIR_COMPRESSION_ZSTD, weir_str_of(f->out, len), LIMIT, WEIR_STR("")),
               WEIR_EMSGSIZE);
    len = zstd_bomb(f->out, 23, 8);
    assert_ok(decompress(f, WEIR_COMPRESSION_ZSTD, weir_str_of(f->out, len), LIMIT,
                         weir_str_of(NULL, 0)));
    close_fixture(f);
}

TEST(compress, a_zstd_window_over_8_mebibytes_is_refused)
{
    fixture *f = open_fixture(LIMIT);
    for (unsigned log = 24; log <= 41; log++) {
        size_t len = zstd_bomb(f->out, log, 1);
        assert_err(
            decompress(f, WEIR_COMPRESSION_ZSTD, weir_str_of(f->out, len), LIMIT, WEIR_STR("")),
            WEIR_EMALFORMED);
    }
    close_fixture(f);
}

/** Single segment, 8 bytes of content size: what is announced is not believed. */
TEST(compress, an_announced_size_takes_no_memory)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0x7f, 1,    0,    0};
    fixture *f = open_fixture(8192);
    assert_err(
        decompress(f, WEIR_COMPRESSION_ZSTD, weir_str_of(frame, sizeof frame), LIMIT, WEIR_STR("")),
        WEIR_EMALFORMED);
    close_fixture(f);
}

TEST(compress, a_pool_at_its_limit_is_out_of_memory_and_leaves_nothing)
{
    fixture *f = open_fixture(20000);
    for (int i = 0; i < REAL; i++) {
        compress(f, real[i], some_text(100000));
        assert_err(decompress(f, real[i], weir_str_of(f->out, f->len), LIMIT, WEIR_STR("")),
                   WEIR_ENOMEM);
    }
    close_fixture(f);
}

/* Contexts. */

static void pass(fixture *f, int64_t us)
{
    weir_timers_advance(&f->timers, weir_time_add(weir_timers_now(&f->timers), us));
}

TEST(compress, contexts_are_kept_while_they_are_used_and_freed_when_not)
{
    fixture *f = open_fixture(0);
    assert_int_equal(weir_compressors_contexts(f->compressors), 0);
    assert_int_equal(weir_timers_wait_us(&f->timers, weir_timers_now(&f->timers)), -1);
    for (int i = 0; i < 10; i++) {
        compress(f, WEIR_COMPRESSION_GZIP, some_text(500));
        assert_int_equal(weir_compressors_contexts(f->compressors), 1);
        pass(f, WEIR_MILLISECONDS(900));
    }
    pass(f, WEIR_SECONDS(1));
    pass(f, WEIR_SECONDS(1));
    assert_int_equal(weir_compressors_contexts(f->compressors), 0);
    assert_int_equal(weir_timers_wait_us(&f->timers, weir_timers_now(&f->timers)), -1);
    compress(f, WEIR_COMPRESSION_GZIP, some_text(500));
    assert_ok(
        decompress(f, WEIR_COMPRESSION_GZIP, weir_str_of(f->out, f->len), 500, some_text(500)));
    assert_int_equal(weir_compressors_contexts(f->compressors), 2);
    close_fixture(f);
}
