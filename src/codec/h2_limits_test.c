#include "h2_frames.h"
#include "h2_limits.h"
#include "h2_scan.h"
#include "test.h"

static weir__h2_limits limits;

static int take_all(weir__h2_flood kind)
{
    int taken = 0;
    while (taken < 100000 && weir__h2_limits_take(&limits, kind))
        taken++;
    return taken;
}

static weir__h2_flood scan_all(bool server, const struct bytes *b, size_t piece)
{
    weir__h2_scan scan;
    weir__h2_flood flood = WEIR__H2_FLOOD_NONE;
    weir__h2_scan_init(&scan, server);
    for (size_t at = 0; at < b->len && flood == WEIR__H2_FLOOD_NONE; at += piece) {
        size_t len = b->len - at < piece ? b->len - at : piece;
        weir__h2_scan_feed(&scan, &limits, b->at + at, len, &flood);
    }
    return flood;
}

TEST(h2_limits, a_burst_passes_and_one_more_does_not)
{
    weir__h2_limits_init(&limits, 10, 2);
    assert_int_equal(take_all(WEIR__H2_FLOOD_PING), 10);
    assert_int_equal(take_all(WEIR__H2_FLOOD_SETTINGS), 10);
}

TEST(h2_limits, time_fills_a_bucket_up_to_the_burst)
{
    weir__h2_limits_init(&limits, 10, 2);
    weir__h2_limits_advance(&limits, (weir_time){WEIR_SECONDS(5)});
    assert_int_equal(take_all(WEIR__H2_FLOOD_PING), 10);
    weir__h2_limits_advance(&limits, (weir_time){WEIR_SECONDS(6)});
    assert_int_equal(take_all(WEIR__H2_FLOOD_PING), 2);
    weir__h2_limits_advance(&limits, (weir_time){WEIR_MILLISECONDS(6250)});
    assert_int_equal(take_all(WEIR__H2_FLOOD_PING), 0);
    weir__h2_limits_advance(&limits, (weir_time){WEIR_MILLISECONDS(6500)});
    assert_int_equal(take_all(WEIR__H2_FLOOD_PING), 1);
    weir__h2_limits_advance(&limits, weir_time_never());
    assert_int_equal(take_all(WEIR__H2_FLOOD_PING), 10);
}

TEST(h2_limits, a_clock_that_goes_back_gives_nothing)
{
    weir__h2_limits_init(&limits, 10, 2);
    weir__h2_limits_advance(&limits, (weir_time){WEIR_SECONDS(5)});
    take_all(WEIR__H2_FLOOD_PING);
    weir__h2_limits_advance(&limits, (weir_time){WEIR_SECONDS(1)});
    assert_int_equal(take_all(WEIR__H2_FLOOD_PING), 0);
}

TEST(h2_limits, the_largest_settings_do_not_overflow)
{
    weir__h2_limits_init(&limits, UINT32_MAX, UINT32_MAX);
    weir__h2_limits_advance(&limits, weir_time_never());
    weir__h2_limits_earn(&limits, WEIR__H2_SENT_DATA);
    assert_int_equal(take_all(WEIR__H2_FLOOD_PING), 100000);
}

TEST(h2_limits, data_sent_earns_window_updates)
{
    weir__h2_limits_init(&limits, 10, 2);
    take_all(WEIR__H2_FLOOD_WINDOW_UPDATE);
    weir__h2_limits_sent_data(&limits, 0);
    assert_int_equal(take_all(WEIR__H2_FLOOD_WINDOW_UPDATE), 4);
    weir__h2_limits_sent_data(&limits, 4000);
    assert_int_equal(take_all(WEIR__H2_FLOOD_WINDOW_UPDATE), 1004);
    for (int i = 0; i < 10; i++)
        weir__h2_limits_sent_data(&limits, 4000);
    weir__h2_limits_advance(&limits, (weir_time){WEIR_SECONDS(100)});
    assert_int_equal(take_all(WEIR__H2_FLOOD_WINDOW_UPDATE), 2560);
    assert_int_equal(take_all(WEIR__H2_FLOOD_SETTINGS), 10);
}

TEST(h2_scan, every_kind_has_its_own_count)
{
    static const struct {
        int type;
        size_t len;
        weir__h2_flood kind;
    } cases[] = {
        {FRAME_PING, 8, WEIR__H2_FLOOD_PING},
        {FRAME_SETTINGS, 0, WEIR__H2_FLOOD_SETTINGS},
        {FRAME_PRIORITY, 5, WEIR__H2_FLOOD_PRIORITY},
        {FRAME_WINDOW_UPDATE, 4, WEIR__H2_FLOOD_WINDOW_UPDATE},
        {FRAME_DATA, 0, WEIR__H2_FLOOD_EMPTY_DATA},
        {FRAME_RST_STREAM, 4, WEIR__H2_FLOOD_RESET},
        {FRAME_GOAWAY, 8, WEIR__H2_FLOOD_OTHER},
        {0xb, 3, WEIR__H2_FLOOD_OTHER},
        {FRAME_CONTINUATION, 1, WEIR__H2_FLOOD_CONTINUATION},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < 40; piece += 6) {
            struct bytes b = {0};
            for (int n = 0; n < 8; n++)
                frame(&b, cases[i].type, 0, 1, "\0\0\0\0\0\0\0", cases[i].len);
            weir__h2_limits_init(&limits, 8, 1);
            assert_int_equal(scan_all(false, &b, piece), WEIR__H2_FLOOD_NONE);
            frame(&b, cases[i].type, 0, 1, "\0\0\0\0\0\0\0", cases[i].len);
            weir__h2_limits_init(&limits, 8, 1);
            assert_int_equal(scan_all(false, &b, piece), cases[i].kind);
            bytes_free(&b);
        }
    }
}

TEST(h2_scan, data_of_padding_only_is_empty)
{
    struct bytes b = {0};
    frame(&b, FRAME_DATA, FLAG_PADDED, 1, "\x03\0\0\0", 4);
    frame(&b, FRAME_DATA, FLAG_PADDED, 1, "\x02\0\0\0", 4);
    weir__h2_limits_init(&limits, 1, 1);
    assert_int_equal(scan_all(false, &b, 1), WEIR__H2_FLOOD_NONE);
    frame(&b, FRAME_DATA, FLAG_PADDED, 1, "\x03\0\0\0", 4);
    weir__h2_limits_init(&limits, 1, 1);
    assert_int_equal(scan_all(false, &b, 1), WEIR__H2_FLOOD_EMPTY_DATA);
    bytes_free(&b);
}

TEST(h2_scan, the_end_of_a_stream_is_useful_and_the_preface_no_frame)
{
    struct bytes b = {0};
    client_hello(&b);
    for (int i = 0; i < 100; i++)
        frame_data(&b, 1, 0, FLAG_END_STREAM);
    weir__h2_limits_init(&limits, 2, 1);
    assert_int_equal(scan_all(true, &b, 7), WEIR__H2_FLOOD_NONE);
    bytes_free(&b);
}

TEST(h2_scan, the_frame_too_many_is_the_last_one_taken)
{
    struct bytes b = {0};
    weir__h2_scan scan;
    weir__h2_flood flood;
    for (int i = 0; i < 3; i++)
        frame_ping(&b);
    weir__h2_limits_init(&limits, 2, 1);
    weir__h2_scan_init(&scan, false);
    assert_int_equal(weir__h2_scan_feed(&scan, &limits, b.at, b.len, &flood), 2 * 17 + 9);
    assert_int_equal(flood, WEIR__H2_FLOOD_PING);
    bytes_free(&b);
}
