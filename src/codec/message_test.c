/* The codec on tests/messages/everything.proto. Bytes are written out where the rule is about
 * bytes. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "everything.weir.h"
#include "test.h"

#define BYTES(...)                                                                                 \
    weir_str_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static weir_arena mem;

#define MESSAGE_TEST(name)                                                                         \
    static void message_##name(void);                                                              \
    TEST(message, name)                                                                            \
    {                                                                                              \
        weir_arena_init(&mem, NULL, 0);                                                            \
        message_##name();                                                                          \
        weir_arena_fini(&mem);                                                                     \
    }                                                                                              \
    static void message_##name(void)

static weir_test_scalars *scalars_of(weir_str bytes)
{
    weir_test_scalars *message = NULL;
    assert_ok(weir_test_scalars_decode(&message, &mem, bytes));
    return message;
}

static weir_err decode_error(const weir_message *type, weir_str bytes)
{
    void *message = &mem;
    weir_err err = weir_message_decode(type, &message, &mem, bytes, 0);
    assert_ptr_equal(message, &mem);
    return err;
}

static weir_str encoded(const weir_message *type, const void *message)
{
    weir_str bytes = {0};
    assert_ok(weir_message_encode_new(type, message, &mem, &bytes));
    assert_int_equal(bytes.len, weir_message_size(type, message));
    return bytes;
}

/** Encodes `message`, decodes that, encodes again: the bytes must be the same. */
static void *round_trip(const weir_message *type, const void *message)
{
    void *again = NULL;
    weir_str bytes = encoded(type, message);
    assert_ok(weir_message_decode(type, &again, &mem, bytes, 0));
    assert_true(weir_str_eq(bytes, encoded(type, again)));
    return again;
}

static const weir_test_scalars full = {
    .a_double = -1.5,
    .a_float = 2.25f,
    .an_int64 = INT64_MIN,
    .a_uint64 = UINT64_MAX,
    .an_int32 = INT32_MIN,
    .a_fixed64 = 0x0102030405060708,
    .a_fixed32 = 0x01020304,
    .a_bool = true,
    .a_string = {"h\xc3\xa9llo", 6},
    .some_bytes = {"\xff\0\xfe", 3},
    .a_uint32 = UINT32_MAX,
    .a_color = WEIR_TEST_COLOR_NEGATIVE,
    .an_sfixed32 = -5,
    .an_sfixed64 = -6,
    .an_sint32 = INT32_MIN,
    .an_sint64 = INT64_MIN,
};

static void assert_full(const weir_test_scalars *m)
{
    assert_true(m->a_double == -1.5 && m->a_float == 2.25f);
    assert_true(m->an_int64 == INT64_MIN && m->a_uint64 == UINT64_MAX);
    assert_true(m->an_int32 == INT32_MIN && m->a_uint32 == UINT32_MAX);
    assert_true(m->a_fixed64 == 0x0102030405060708 && m->a_fixed32 == 0x01020304);
    assert_true(m->a_bool && m->a_color == WEIR_TEST_COLOR_NEGATIVE);
    assert_str(m->a_string, "h\xc3\xa9llo");
    assert_str(m->some_bytes, "\xff\0\xfe");
    assert_true(m->an_sfixed32 == -5 && m->an_sfixed64 == -6);
    assert_true(m->an_sint32 == INT32_MIN && m->an_sint64 == INT64_MIN);
}

MESSAGE_TEST(every_scalar_comes_back)
{
    assert_full(round_trip(&weir_test_scalars_descriptor, &full));
}

MESSAGE_TEST(the_empty_message_has_no_bytes)
{
    weir_test_everything empty = {0};
    assert_int_equal(weir_message_size(&weir_test_everything_descriptor, &empty), 0);
    weir_test_everything *again;
    assert_ok(weir_test_everything_decode(&again, &mem, (weir_str){0}));
    assert_null(again->scalars);
    assert_int_equal(again->children.len, 0);
}

MESSAGE_TEST(a_zero_is_absent_unless_the_field_is_optional)
{
    assert_int_equal(encoded(&weir_test_scalars_descriptor, &(weir_test_scalars){0}).len, 0);
    weir_test_optionals zero = {.has_an_int32 = true, .has_a_string = true};
    weir_str bytes = encoded(&weir_test_optionals_descriptor, &zero);
    assert_true(weir_str_eq(bytes, BYTES(0x28, 0, 0x4a, 0)));
    weir_test_optionals *again = round_trip(&weir_test_optionals_descriptor, &zero);
    assert_true(again->has_an_int32 && again->has_a_string && !again->has_a_bool);
}

MESSAGE_TEST(negative_zero_is_not_zero)
{
    weir_test_scalars m = {.a_double = -0.0};
    assert_int_equal(encoded(&weir_test_scalars_descriptor, &m).len, 9);
}

MESSAGE_TEST(the_last_scalar_wins)
{
    assert_int_equal(scalars_of(BYTES(0x28, 1, 0x28, 2))->an_int32, 2);
}

MESSAGE_TEST(a_long_varint_is_cut_to_the_field)
{
    assert_int_equal(scalars_of(BYTES(0x28, 0x81, 0x80, 0x80, 0x80, 0x10))->an_int32, 1);
    assert_true(scalars_of(BYTES(0x40, 0x80, 0x80, 0x80, 0x80, 0x10))->a_bool);
}

MESSAGE_TEST(message_fields_merge)
{
    const weir_test_scalars *m = scalars_of(BYTES(0xa2, 1, 2, 0x28, 7, 0xa2, 1, 2, 0x68, 9));
    assert_int_equal(m->child->an_int32, 7);
    assert_int_equal(m->child->a_uint32, 9);
}

MESSAGE_TEST(packed_and_unpacked_are_both_read)
{
    weir_test_lists *lists;
    assert_ok(weir_test_lists_decode(&lists, &mem, BYTES(0x28, 1, 0x2a, 2, 2, 3, 0x28, 4)));
    assert_int_equal(lists->int32s.len, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(lists->int32s.items[i], i + 1);
    weir_test_unpacked *unpacked;
    assert_ok(weir_test_unpacked_decode(&unpacked, &mem, BYTES(0x2a, 2, 2, 3)));
    assert_int_equal(unpacked->int32s.len, 2);
    assert_int_equal(encoded(&weir_test_unpacked_descriptor, unpacked).len, 4);
}

MESSAGE_TEST(an_empty_packed_field_is_an_empty_array)
{
    weir_test_lists *lists;
    assert_ok(weir_test_lists_decode(&lists, &mem, BYTES(0x2a, 0)));
    assert_int_equal(lists->int32s.len, 0);
}

MESSAGE_TEST(long_arrays_keep_every_item)
{
    enum {
        COUNT = 1000
    };
    weir_str strings[COUNT];
    weir_test_scalars children[COUNT];
    int64_t numbers[COUNT];
    for (int i = 0; i < COUNT; i++) {
        strings[i] = weir_arena_printf(&mem, "%d", i);
        children[i] = (weir_test_scalars){.an_int32 = i};
        numbers[i] = -i;
    }
    weir_test_lists lists = {
        .int64s = {numbers, COUNT}, .strings = {strings, COUNT}, .children = {children, COUNT}};
    const weir_test_lists *again = round_trip(&weir_test_lists_descriptor, &lists);
    assert_int_equal(again->strings.len, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(weir_str_eq(again->strings.items[i], strings[i]));
        assert_int_equal(again->children.items[i].an_int32, i);
        assert_true(again->int64s.items[i] == -i);
    }
}

MESSAGE_TEST(the_last_member_of_a_oneof_wins_and_the_same_message_merges)
{
    weir_test_choice *choice;
    assert_ok(weir_test_choice_decode(&choice, &mem, BYTES(8, 5, 0x12, 1, 'a')));
    assert_int_equal(choice->value_case, WEIR_TEST_CHOICE_VALUE_TEXT);
    assert_str(choice->value.text, "a");
    assert_ok(weir_test_choice_decode(&choice, &mem,
                                      BYTES(0x12, 1, 'a', 0x1a, 2, 0x28, 7, 0x1a, 2, 0x68, 9)));
    assert_int_equal(choice->value_case, WEIR_TEST_CHOICE_VALUE_MESSAGE);
    assert_int_equal(choice->value.message->an_int32, 7);
    assert_int_equal(choice->value.message->a_uint32, 9);
    assert_ok(
        weir_test_choice_decode(&choice, &mem, BYTES(0x1a, 2, 0x28, 7, 8, 5, 0x1a, 2, 0x68, 9)));
    assert_int_equal(choice->value.message->an_int32, 0);
}

MESSAGE_TEST(a_oneof_writes_its_zero)
{
    weir_test_choice zero = {.value_case = WEIR_TEST_CHOICE_VALUE_NUMBER};
    assert_true(weir_str_eq(encoded(&weir_test_choice_descriptor, &zero), BYTES(8, 0)));
}

MESSAGE_TEST(a_map_keeps_the_last_entry_of_a_key_and_is_sorted)
{
    weir_test_maps *maps;
    assert_ok(weir_test_maps_decode(
        &maps, &mem,
        BYTES(0x0a, 4, 8, 9, 16, 1, 0x0a, 4, 8, 3, 16, 2, 0x0a, 4, 8, 9, 16, 3, 0x0a, 2, 16, 4)));
    assert_int_equal(maps->int32s.len, 3);
    const weir_test_maps_int32s_entry *e = maps->int32s.items;
    assert_int_equal(e[0].key * 100 + e[0].value, 4);
    assert_int_equal(e[1].key * 100 + e[1].value, 302);
    assert_int_equal(e[2].key * 100 + e[2].value, 903);
}

MESSAGE_TEST(a_map_entry_without_value_has_an_empty_one)
{
    weir_test_maps *maps;
    assert_ok(weir_test_maps_decode(&maps, &mem, BYTES(0x62, 3, 0x0a, 1, 'k')));
    assert_int_equal(maps->strings.len, 1);
    assert_non_null(maps->strings.items[0].value);
    assert_true(weir_str_eq(encoded(&weir_test_maps_descriptor, maps),
                            BYTES(0x62, 5, 0x0a, 1, 'k', 0x12, 0)));
}

MESSAGE_TEST(a_map_entry_that_has_no_message_is_written_with_an_empty_one)
{
    weir_test_maps_strings_entry entry = {.key = WEIR_STR("k")};
    weir_test_maps maps = {.strings = {&entry, 1}};
    assert_true(weir_str_eq(encoded(&weir_test_maps_descriptor, &maps),
                            BYTES(0x62, 5, 0x0a, 1, 'k', 0x12, 0)));
}

MESSAGE_TEST(many_entries_of_one_key_leave_one)
{
    enum {
        COUNT = 100000
    };
    uint8_t *bytes = malloc(6 * COUNT);
    assert_non_null(bytes);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(bytes + 6 * i, (uint8_t[]){0x0a, 4, 8, (uint8_t)(i & 1), 16, (uint8_t)(i & 63)}, 6);
    weir_test_maps *maps;
    assert_ok(weir_test_maps_decode(&maps, &mem, weir_str_of(bytes, 6 * COUNT)));
    assert_int_equal(maps->int32s.len, 2);
    assert_int_equal(maps->int32s.items[1].value, (COUNT - 1) & 63);
    free(bytes);
}

MESSAGE_TEST(maps_inside_arrays_and_children_are_tidied)
{
    weir_test_everything *m;
    assert_ok(weir_test_everything_decode(
        &m, &mem, BYTES(0x42, 14, 0x32, 12, 0x0a, 4, 8, 1, 16, 1, 0x0a, 4, 8, 1, 16, 2)));
    assert_int_equal(m->children.items[0].maps->int32s.len, 1);
    assert_int_equal(m->children.items[0].maps->int32s.items[0].value, 2);
}

MESSAGE_TEST(unknown_fields_are_sent_on_behind_the_others)
{
    /* Field 100: a varint, a group with something in it, bytes; known fields between them. */
    weir_str bytes =
        BYTES(0xa0, 6, 1, 0x28, 7, 0xa3, 6, 8, 1, 0x13, 0x14, 0xa4, 6, 0xa2, 6, 1, 'x');
    const weir_test_scalars *m = scalars_of(bytes);
    assert_int_equal(m->an_int32, 7);
    assert_int_equal(m->unknown.len, 2);
    assert_true(weir_str_eq(
        encoded(&weir_test_scalars_descriptor, m),
        BYTES(0x28, 7, 0xa0, 6, 1, 0xa3, 6, 8, 1, 0x13, 0x14, 0xa4, 6, 0xa2, 6, 1, 'x')));
}

MESSAGE_TEST(a_field_of_another_wire_type_is_unknown)
{
    const weir_test_scalars *m = scalars_of(BYTES(0x2d, 1, 2, 3, 4));
    assert_int_equal(m->an_int32, 0);
    assert_int_equal(m->unknown.len, 1);
}

MESSAGE_TEST(an_enum_without_a_name_is_kept)
{
    const weir_test_scalars *m = scalars_of(BYTES(0x70, 77));
    assert_int_equal(m->a_color, 77);
    assert_int_equal(encoded(&weir_test_scalars_descriptor, m).len, 2);
}

MESSAGE_TEST(strings_are_views_of_the_input_unless_copies_are_wanted)
{
    char bytes[] = {0x4a, 2, 'h', 'i'};
    void *view = NULL, *copy = NULL;
    weir_str input = {bytes, sizeof bytes};
    assert_ok(weir_message_decode(&weir_test_scalars_descriptor, &view, &mem, input, 0));
    assert_ok(
        weir_message_decode(&weir_test_scalars_descriptor, &copy, &mem, input, WEIR_DECODE_COPY));
    bytes[2] = 'H';
    assert_str(((weir_test_scalars *)view)->a_string, "Hi");
    assert_str(((weir_test_scalars *)copy)->a_string, "hi");
}

MESSAGE_TEST(numbers_far_apart_are_found)
{
    weir_test_sparse m = {.last = WEIR_STR("x"),
                          .one = 1,
                          .two = 2,
                          .thousand = 3,
                          .two_thousand = 4,
                          .two_thousand_more = 5};
    const weir_test_sparse *again = round_trip(&weir_test_sparse_descriptor, &m);
    assert_str(again->last, "x");
    assert_int_equal(again->thousand + again->two_thousand + again->two_thousand_more, 12);
    assert_null(weir_message_field(&weir_test_sparse_descriptor, 3));
    assert_null(weir_message_field(&weir_test_sparse_descriptor, 0));
    assert_string_equal(weir_message_field(&weir_test_sparse_descriptor, 536870911)->name, "last");
}

MESSAGE_TEST(malformed_bytes_are_refused)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
    } cases[] = {
        {{0x28}, 1},       /* a tag and nothing */
        {{0x28, 0x80}, 2}, /* a varint that goes on */
        {{0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 12}, /* and on */
        {{0x00, 0}, 2},                                                    /* field number 0 */
        {{0x2e, 0}, 2},                                                    /* wire type 6 */
        {{0x2f, 0}, 2},                                                    /* wire type 7 */
        {{0x2c}, 1},                                                       /* the end of no group */
        {{0xa3, 6, 8, 1}, 4},                                              /* a group without end */
        {{0xa3, 6, 0xac, 6}, 4},                                           /* another group's end */
        {{0x4a, 5, 'a'}, 3},                     /* a length past the end */
        {{0x4a, 255, 255, 255, 255, 15}, 6},     /* far past the end */
        {{0x4a, 255, 255, 255, 255, 255, 1}, 7}, /* a length of 41 bits */
        {{0x09, 1, 2, 3}, 4},                    /* a short double */
        {{0x3d, 1, 2}, 3},                       /* a short fixed32 */
        {{0xa1, 6, 1}, 3},                       /* an unknown short double */
        {{0xa5, 6, 1}, 3},                       /* an unknown short fixed32 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_err(
            decode_error(&weir_test_scalars_descriptor, weir_str_of(cases[i].bytes, cases[i].len)),
            WEIR_EMALFORMED);
}

MESSAGE_TEST(packed_bytes_that_are_no_whole_values_are_refused)
{
    const weir_message *lists = &weir_test_lists_descriptor;
    assert_err(decode_error(lists, BYTES(0x0a, 3, 1, 2, 3)), WEIR_EMALFORMED);
    assert_err(decode_error(lists, BYTES(0x2a, 2, 1, 0x80)), WEIR_EMALFORMED);
    assert_err(decode_error(lists, BYTES(0x2a, 1, 0x80)), WEIR_EMALFORMED);
    assert_err(decode_error(lists, BYTES(0x3a, 1, 0)), WEIR_EMALFORMED);
}

MESSAGE_TEST(text_must_be_utf8_and_bytes_need_not)
{
    const weir_message *scalars = &weir_test_scalars_descriptor;
    assert_err(decode_error(scalars, BYTES(0x4a, 1, 0xff)), WEIR_EUTF8);
    assert_err(decode_error(&weir_test_maps_descriptor, BYTES(0x62, 3, 0x0a, 1, 0xff)), WEIR_EUTF8);
    assert_str(scalars_of(BYTES(0x62, 1, 0xff))->some_bytes, "\xff");
}

MESSAGE_TEST(a_cut_message_is_refused_or_read_in_part)
{
    weir_test_everything all = {.scalars = &full,
                                .children = {&(weir_test_everything){.scalars = &full}, 1}};
    weir_str bytes = encoded(&weir_test_everything_descriptor, &all);
    size_t first = weir_message_size(&weir_test_everything_descriptor,
                                     &(weir_test_everything){.scalars = &full});
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *cut = malloc(len ? len : 1);
        memcpy(cut, bytes.ptr, len);
        void *out = NULL;
        weir_err err = weir_message_decode(&weir_test_everything_descriptor, &out, &mem,
                                           weir_str_of(cut, len), 0);
        /* Only between the two fields of the outermost message does a cut leave a message. */
        assert_err(err, len == 0 || len == first ? WEIR_OK : WEIR_EMALFORMED);
        free(cut);
    }
}

/** `levels` of Scalars.child around nothing, or of an unknown group. */
static weir_str nest(int levels, bool groups)
{
    size_t room = (size_t)levels * 8 + 1;
    uint8_t *bytes = malloc(room), *at = bytes + room;
    assert_non_null(bytes);
    for (int i = 0; i < levels; i++) {
        size_t inside = (size_t)(bytes + room - at);
        size_t width = inside < 128 ? 1 : inside < 16384 ? 2 : 3;
        for (size_t j = width; j-- > 0;)
            *--at = (uint8_t)((inside >> (7 * j)) & 0x7f) | (j + 1 < width ? 0x80 : 0);
        *--at = 1;
        *--at = 0xa2;
    }
    size_t len = (size_t)(bytes + room - at);
    memmove(bytes, at, len);
    if (groups) {
        len = (size_t)levels * 2;
        memset(bytes, 0x13, len / 2);
        memset(bytes + len / 2, 0x14, len / 2);
    }
    return weir_str_of(bytes, len);
}

static void assert_nested(int levels, bool groups, weir_err expected)
{
    void *message;
    weir_str bytes = nest(levels, groups);
    assert_err(
        weir_message_decode(groups ? &weir_test_empty_descriptor : &weir_test_scalars_descriptor,
                            &message, &mem, bytes, 0),
        expected);
    free((void *)(uintptr_t)bytes.ptr);
}

MESSAGE_TEST(a_hundred_levels_are_read_and_no_more)
{
    assert_nested(WEIR_MESSAGE_DEPTH_MAX, false, WEIR_OK);
    assert_nested(WEIR_MESSAGE_DEPTH_MAX + 1, false, WEIR_EDEPTH);
    assert_nested(WEIR_MESSAGE_DEPTH_MAX, true, WEIR_OK);
    assert_nested(WEIR_MESSAGE_DEPTH_MAX + 1, true, WEIR_EDEPTH);
}

static void *decode_deep(void *unused)
{
    (void)unused;
    assert_nested(20000, false, WEIR_EDEPTH);
    assert_nested(20000, true, WEIR_EDEPTH);
    return NULL;
}

MESSAGE_TEST(twenty_thousand_levels_do_not_overrun_a_small_stack)
{
    pthread_t thread;
    pthread_attr_t attr;
    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, (size_t)256 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &attr, decode_deep, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
}

MESSAGE_TEST(what_is_too_deep_is_not_encoded)
{
    weir_test_scalars chain[WEIR_MESSAGE_DEPTH_MAX + 2] = {0};
    for (int i = 0; i <= WEIR_MESSAGE_DEPTH_MAX; i++)
        chain[i].child = &chain[i + 1];
    weir_str out;
    assert_err(weir_test_scalars_encode(&chain[0], &mem, &out), WEIR_EDEPTH);
    assert_ok(weir_test_scalars_encode(&chain[1], &mem, &out));
}

MESSAGE_TEST(a_wrong_size_is_an_error_and_nothing_is_written_outside)
{
    uint8_t out[64];
    const weir_test_scalars m = {.a_string = WEIR_STR("text"), .an_int32 = 300};
    size_t size = weir_message_size(&weir_test_scalars_descriptor, &m);
    for (size_t i = 0; i < sizeof out; i++) {
        memset(out, 0xee, sizeof out);
        assert_err(weir_message_encode(&weir_test_scalars_descriptor, &m, out, i),
                   i == size ? WEIR_OK : WEIR_EINVAL);
        for (size_t j = i; j < sizeof out; j++)
            assert_int_equal(out[j], 0xee);
    }
}

MESSAGE_TEST(an_arena_at_its_limit_ends_the_message)
{
    weir_test_lists lists = {.int32s = {(int32_t[]){1, 2, 3}, 3},
                             .children = {&full, 1},
                             .strings = {(weir_str[]){WEIR_STR("a")}, 1}};
    weir_str bytes = encoded(&weir_test_lists_descriptor, &lists);
    void *out = NULL;
    weir_err err = WEIR_ENOMEM;
    for (size_t limit = 64; err; limit += 64) {
        weir_arena small;
        weir_arena_init(&small, NULL, limit);
        err = weir_message_decode(&weir_test_lists_descriptor, &out, &small, bytes, 0);
        weir_arena_fini(&small);
        assert_true(err == WEIR_OK || err == WEIR_ENOMEM);
        assert_true(limit < 65536);
    }
}

MESSAGE_TEST(a_length_alone_takes_no_memory)
{
    weir_arena small;
    weir_arena_init(&small, NULL, 4096);
    void *out = NULL;
    assert_err(weir_message_decode(&weir_test_lists_descriptor, &out, &small,
                                   BYTES(0x0a, 255, 255, 255, 255, 7, 1, 2), 0),
               WEIR_EMALFORMED);
    weir_arena_fini(&small);
}

MESSAGE_TEST(the_file_describes_itself)
{
    assert_string_equal(everything_file.name, "everything.proto");
    assert_true(weir_test_everything_descriptor.file == &everything_file);
    assert_string_equal(weir_test_everything_descriptor.name, "weir.test.Everything");
    assert_true(everything_file.descriptor_len > 100);
}
