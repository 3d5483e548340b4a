#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/codec/codec.h>

/** Feeds `stream` in pieces that `seed` chooses and writes down each message and the end. */
static void run(const weir_codec *codec, weir_str stream, unsigned seed, char *seen, size_t size)
{
    weir_codec_state state = {0};
    weir_buf in;
    weir_buf_init(&in, NULL);
    size_t len = 0;
    weir_err err = WEIR_EAGAIN;
    for (size_t at = 0; at < stream.len && err == WEIR_EAGAIN;) {
        seed = seed * 1103515245 + 12345;
        size_t left = stream.len - at, part = 1 + (seed >> 16) % 7;
        part = part < left ? part : left;
        assert_ok(weir_buf_append(&in, stream.ptr + at, part));
        at += part;
        weir_codec_message message;
        while (!(err = weir_codec_next(codec, &state, &in, &message))) {
            char text[200];
            assert_true(message.len < sizeof text);
            assert_true(weir_buf_peek_at(&in, message.skip, text, message.len));
            len += (size_t)snprintf(seen + len, size - len, "<%.*s>", (int)message.len, text);
            weir_buf_retrieve(&in, message.total);
        }
    }
    snprintf(seen + len, size - len, "%s", err == WEIR_EAGAIN ? "" : weir_err_name(err));
    weir_buf_clear(&in);
}

/** However the stream is cut, these messages come. */
static void check(weir_codec codec, weir_str stream, const char *expected)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        char seen[1000] = "";
        run(&codec, stream, seed, seen, sizeof seen);
        assert_string_equal(seen, expected);
    }
}

TEST(codec, fixed_lengths)
{
    check(weir_codec_fixed(3), WEIR_STR("abcdefgh"), "<abc><def>");
    check(weir_codec_fixed(0), WEIR_STR("ab"), "<a><b>");
}

TEST(codec, lengths_in_front)
{
    check(weir_codec_prefix(4, 100), WEIR_STR("\0\0\0\3abc\0\0\0\0\0\0\0\1x\0\0"), "<abc><><x>");
    check(weir_codec_prefix(2, 100), WEIR_STR("\0\2ab\0\1c\0\5d"), "<ab><c>");
    check(weir_codec_prefix(1, 100), WEIR_STR("\1a\1b"), "<a><b>");
    check(weir_codec_prefix(8, 100), WEIR_STR("\0\0\0\0\0\0\0\1a"), "<a>");
}

TEST(codec, a_length_over_the_limit_is_refused_before_its_bytes_come)
{
    check(weir_codec_prefix(4, 100), WEIR_STR("\0\0\0\1a\0\0\0\145"), "<a>WEIR_EMSGSIZE");
    check(weir_codec_prefix(4, 100), WEIR_STR("\377\377\377\377"), "WEIR_EMSGSIZE");
    check(weir_codec_prefix(8, SIZE_MAX - 100), WEIR_STR("\377\377\377\377\377\377\377\377"),
          "WEIR_EMSGSIZE");
    check(weir_codec_varint(100), WEIR_STR("\145"), "WEIR_EMSGSIZE");
}

TEST(codec, varint_lengths)
{
    char stream[300];
    memcpy(stream, "\0\1a\202\1", 5);
    memset(stream + 5, 'b', 130);
    char expected[200];
    snprintf(expected, sizeof expected, "<><a><%.130s>", stream + 5);
    check(weir_codec_varint(1000), weir_str_of(stream, 135), expected);
    check(weir_codec_varint(1000), WEIR_STR("\377\377\377\377\377\377\377\377\377\2"),
          "WEIR_EMALFORMED");
    check(weir_codec_varint(1000), WEIR_STR("\200\200\200\200\200\200\200\200\200\200\1"),
          "WEIR_EMALFORMED");
}

TEST(codec, lines)
{
    check(weir_codec_line(100), WEIR_STR("one\ntwo\r\n\n\r\nthr\ree\nhalf"),
          "<one><two><><><thr\ree>");
    check(weir_codec_line(5), WEIR_STR("12345\r\n12345\n123456\n"), "<12345><12345>WEIR_EMSGSIZE");
    check(weir_codec_line(5), WEIR_STR("1234567"), "WEIR_EMSGSIZE");
}

TEST(codec, json_objects)
{
    check(weir_codec_json(100), WEIR_STR("{}{\"a\":1}\n {\"b\":{\"c\":[{},{}]}}\t{\"half"),
          "<{}><{\"a\":1}><{\"b\":{\"c\":[{},{}]}}>");
    check(weir_codec_json(100), WEIR_STR("{\"}\":\"\\\"}{\"}{\"\\\\\":1}"),
          "<{\"}\":\"\\\"}{\"}><{\"\\\\\":1}>");
    check(weir_codec_json(100), WEIR_STR("{} x"), "<{}>WEIR_EMALFORMED");
    check(weir_codec_json(100), WEIR_STR("[1]"), "WEIR_EMALFORMED");
    check(weir_codec_json(100), WEIR_STR("}"), "WEIR_EMALFORMED");
    check(weir_codec_json(8), WEIR_STR("{\"a\":1} {\"a\":12}"), "<{\"a\":1}>WEIR_EMSGSIZE");
    check(weir_codec_json(8), WEIR_STR("                    "), "WEIR_EMSGSIZE");
}

TEST(codec, what_is_appended_is_found_again)
{
    static const struct {
        weir_codec codec;
        weir_str message;
    } cases[] = {
        {{WEIR_CODEC_FIXED, 0, 5}, {"hello", 5}},      {{WEIR_CODEC_PREFIX, 1, 255}, {"hello", 5}},
        {{WEIR_CODEC_PREFIX, 2, 300}, {"", 0}},        {{WEIR_CODEC_PREFIX, 8, 300}, {"hello", 5}},
        {{WEIR_CODEC_VARINT, 0, 300}, {"hello", 5}},   {{WEIR_CODEC_LINE, 0, 300}, {"hello", 5}},
        {{WEIR_CODEC_JSON, 0, 300}, {"{\"a\":1}", 7}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buf out;
        weir_buf_init(&out, NULL);
        for (int twice = 0; twice < 2; twice++)
            assert_ok(weir_codec_append(&cases[i].codec, &out, cases[i].message));
        weir_codec_state found_state = {0};
        for (int twice = 0; twice < 2; twice++) {
            weir_codec_message found;
            char text[16];
            assert_ok(weir_codec_next(&cases[i].codec, &found_state, &out, &found));
            assert_int_equal(found.len, cases[i].message.len);
            weir_buf_peek_at(&out, found.skip, text, found.len);
            assert_memory_equal(text, cases[i].message.ptr, found.len);
            weir_buf_retrieve(&out, found.total);
        }
        assert_int_equal(weir_buf_len(&out), 0);
        weir_buf_clear(&out);
    }
}

TEST(codec, what_could_not_be_found_again_is_not_appended)
{
    weir_buf out;
    weir_buf_init(&out, NULL);
    weir_codec fixed = weir_codec_fixed(3), line = weir_codec_line(10),
               tiny = weir_codec_prefix(1, 9999);
    char big[300] = "";
    assert_err(weir_codec_append(&fixed, &out, WEIR_STR("ab")), WEIR_EMSGSIZE);
    assert_err(weir_codec_append(&line, &out, WEIR_STR("a\nb")), WEIR_EINVAL);
    assert_err(weir_codec_append(&line, &out, WEIR_STR("12345678901")), WEIR_EMSGSIZE);
    assert_err(weir_codec_append(&tiny, &out, weir_str_of(big, 256)), WEIR_EMSGSIZE);
    assert_int_equal(weir_buf_len(&out), 0);
}
