#include <weir/codec/wire.h>

#include "test.h"

static const struct {
    uint64_t value;
    size_t size;
} sizes[] = {
    {0, 1},
    {1, 1},
    {127, 1},
    {128, 2},
    {16383, 2},
    {16384, 3},
    {(1u << 21) - 1, 3},
    {1u << 21, 4},
    {UINT32_MAX, 5},
    {1ull << 35, 6},
    {1ull << 42, 7},
    {1ull << 49, 8},
    {(1ull << 63) - 1, 9},
    {1ull << 63, 10},
    {UINT64_MAX, 10},
};

TEST(wire, a_varint_has_the_size_that_was_said_and_is_read_back)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[WEIR_WIRE_VARINT_MAX];
        uint64_t value = 0;
        size_t size = weir_wire_varint_size(sizes[i].value);
        assert_int_equal(size, sizes[i].size);
        weir_wire_write_varint(bytes, sizes[i].value);
        assert_ptr_equal(weir_wire_read_varint(bytes, bytes + size, &value), bytes + size);
        assert_true(value == sizes[i].value);
        for (size_t cut = 0; cut < size; cut++)
            assert_null(weir_wire_read_varint(bytes, bytes + cut, &value));
    }
}

TEST(wire, a_varint_of_eleven_bytes_is_refused)
{
    const uint8_t bytes[11] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
    uint64_t value;
    assert_null(weir_wire_read_varint(bytes, bytes + 11, &value));
}

TEST(wire, surplus_bits_of_the_tenth_byte_are_dropped)
{
    const uint8_t bytes[10] = {0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e};
    uint64_t value;
    assert_ptr_equal(weir_wire_read_varint(bytes, bytes + 10, &value), bytes + 10);
    assert_true(value == 1);
}

TEST(wire, a_tag_has_at_most_five_bytes_of_which_32_bits_count)
{
    const uint8_t most[] = {0xff, 0xff, 0xff, 0xff, 0x0f}, over[] = {0x81, 0x80, 0x80, 0x80, 0x10};
    const uint8_t longer[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    uint32_t tag;
    assert_ptr_equal(weir_wire_read_tag(most, most + 5, &tag), most + 5);
    assert_true(tag == UINT32_MAX);
    assert_ptr_equal(weir_wire_read_tag(over, over + 5, &tag), over + 5);
    assert_int_equal(tag, 1);
    assert_null(weir_wire_read_tag(longer, longer + 6, &tag));
}

TEST(wire, a_length_counts_with_all_its_bits)
{
    const uint8_t fits[] = {0x82, 0x00, 'a', 'b'},
                  over[] = {0x82, 0x80, 0x80, 0x80, 0x10, 'a', 'b'};
    weir_str view;
    assert_ptr_equal(weir_wire_read_view(fits, fits + 4, &view), fits + 4);
    assert_str(view, "ab");
    assert_null(weir_wire_read_view(fits, fits + 3, &view));
    assert_null(weir_wire_read_view(over, over + 7, &view));
}

TEST(wire, zigzag_keeps_small_magnitudes_small)
{
    static const struct {
        int64_t plain;
        uint64_t coded;
    } pairs[] = {
        {0, 0}, {-1, 1}, {1, 2}, {-2, 3}, {INT64_MAX, UINT64_MAX - 1}, {INT64_MIN, UINT64_MAX}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_true(weir_wire_zigzag(pairs[i].plain) == pairs[i].coded);
        assert_true(weir_wire_unzigzag(pairs[i].coded) == pairs[i].plain);
    }
}

TEST(wire, fixed_integers_are_little_endian_and_not_read_past_the_end)
{
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint32_t narrow;
    uint64_t wide;
    assert_ptr_equal(weir_wire_read_fixed32(bytes, bytes + 4, &narrow), bytes + 4);
    assert_int_equal(narrow, 0x04030201);
    assert_ptr_equal(weir_wire_read_fixed64(bytes, bytes + 8, &wide), bytes + 8);
    assert_true(wide == 0x0807060504030201);
    assert_null(weir_wire_read_fixed32(bytes, bytes + 3, &narrow));
    assert_null(weir_wire_read_fixed64(bytes, bytes + 7, &wide));
}
