#include "test.h"

#include <weir/codec/google/rpc/error_details.weir.h>
#include <weir/codec/google/rpc/status.weir.h>
#include <weir/codec/status_details.h>

static const google_protobuf_duration delay = {.seconds = 3, .nanos = 500};
static const google_rpc_retry_info retry = {.retry_delay =
                                                (google_protobuf_duration *)(uintptr_t)&delay};
static const google_rpc_error_info stock = {.reason = WEIR_STR("STOCKOUT"),
                                            .domain = WEIR_STR("shop.example")};
static const google_rpc_error_info later = {.reason = WEIR_STR("LATER")};

static weir_status unavailable(weir_arena *mem)
{
    weir_status status = {WEIR_STATUS_UNAVAILABLE, WEIR_STR("come back"), {0}};
    const weir_status_detail details[] = {{&google_rpc_error_info_descriptor, &stock},
                                          {&google_rpc_retry_info_descriptor, &retry},
                                          {&google_rpc_error_info_descriptor, &later}};
    assert_ok(weir_status_set_details(&status, mem, details, 3));
    return status;
}

TEST(status_details, each_is_found_by_its_type)
{
    weir_arena *mem = weir_arena_new();
    weir_status status = unavailable(mem);
    void *found = NULL;
    assert_ok(weir_status_find_detail(&status, &google_rpc_retry_info_descriptor, mem, &found));
    assert_int_equal(((google_rpc_retry_info *)found)->retry_delay->seconds, 3);
    assert_int_equal(((google_rpc_retry_info *)found)->retry_delay->nanos, 500);
    assert_ok(weir_status_find_detail(&status, &google_rpc_error_info_descriptor, mem, &found));
    assert_str(((google_rpc_error_info *)found)->reason, "STOCKOUT");
    found = &mem;
    assert_err(weir_status_find_detail(&status, &google_rpc_help_descriptor, mem, &found),
               WEIR_ENOENT);
    assert_ptr_equal(found, &mem);
    weir_arena_free(mem);
}

TEST(status_details, the_bytes_are_a_google_rpc_status)
{
    weir_arena *mem = weir_arena_new();
    weir_status status = unavailable(mem);
    google_rpc_status *message;
    assert_ok(google_rpc_status_decode(&message, mem, status.details));
    assert_int_equal(message->code, 14);
    assert_str(message->message, "come back");
    assert_int_equal(message->details.len, 3);
    assert_str(message->details.items[1].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    weir_arena_free(mem);
}

TEST(status_details, what_was_found_outlives_the_status)
{
    weir_arena *mem = weir_arena_new(), *kept = weir_arena_new();
    weir_status status = unavailable(mem);
    void *found;
    assert_ok(weir_status_find_detail(&status, &google_rpc_error_info_descriptor, kept, &found));
    weir_arena_free(mem);
    assert_str(((google_rpc_error_info *)found)->domain, "shop.example");
    weir_arena_free(kept);
}

TEST(status_details, none_are_fine)
{
    weir_arena *mem = weir_arena_new();
    weir_status status = {WEIR_STATUS_NOT_FOUND, WEIR_STR("no"), {0}};
    void *found;
    assert_err(weir_status_find_detail(&status, &google_rpc_help_descriptor, mem, &found),
               WEIR_ENOENT);
    assert_ok(weir_status_set_details(&status, mem, NULL, 0));
    assert_str(status.details, "\x08\x05\x12\x02no");
    assert_err(weir_status_find_detail(&status, &google_rpc_help_descriptor, mem, &found),
               WEIR_ENOENT);
    weir_arena_free(mem);
}

TEST(status_details, names_must_be_whole)
{
    static const char *const urls[] = {"google.rpc.Help", "type.googleapis.com/x.google.rpc.Help",
                                       "type.googleapis.com/google.rpc.Help2", "", "/"};
    weir_arena *mem = weir_arena_new();
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        google_protobuf_any any = {.type_url = weir_str_from(urls[i])};
        weir_status status = {.code = WEIR_STATUS_ABORTED};
        google_rpc_status message = {.details = {&any, 1}};
        void *found;
        assert_ok(google_rpc_status_encode(&message, mem, &status.details));
        assert_err(weir_status_find_detail(&status, &google_rpc_help_descriptor, mem, &found),
                   WEIR_ENOENT);
        any.type_url = WEIR_STR("any.host/google.rpc.Help");
        assert_ok(google_rpc_status_encode(&message, mem, &status.details));
        assert_ok(weir_status_find_detail(&status, &google_rpc_help_descriptor, mem, &found));
    }
    weir_arena_free(mem);
}

TEST(status_details, what_is_no_status_is_malformed)
{
    weir_arena *mem = weir_arena_new();
    weir_status status = {WEIR_STATUS_ABORTED, WEIR_STR(""), WEIR_STR("\xff\xff\xff")};
    void *found;
    assert_err(weir_status_find_detail(&status, &google_rpc_help_descriptor, mem, &found),
               WEIR_EMALFORMED);
    google_protobuf_any any = {.type_url = WEIR_STR("/google.rpc.Help"), .value = WEIR_STR("\xff")};
    assert_ok(
        google_rpc_status_encode(&(google_rpc_status){.details = {&any, 1}}, mem, &status.details));
    assert_err(weir_status_find_detail(&status, &google_rpc_help_descriptor, mem, &found),
               WEIR_EMALFORMED);
    weir_arena_free(mem);
}

TEST(status_details, an_arena_at_its_limit_leaves_the_status_as_it_was)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 64);
    weir_status status = {WEIR_STATUS_ABORTED, WEIR_STR("x"), WEIR_STR("before")};
    weir_status_detail detail = {&google_rpc_error_info_descriptor, &stock};
    assert_err(weir_status_set_details(&status, &mem, &detail, 1), WEIR_ENOMEM);
    assert_str(status.details, "before");
    weir_arena_fini(&mem);
}
