#include "test.h"

#include <errno.h>
#include <string.h>
#include <weir/base/err.h>

TEST(err, every_row_has_a_name_a_sentence_and_a_status)
{
    for (int number = 0; number <= WEIR_EDEPTH; number++) {
        assert_memory_equal(weir_err_name((weir_err)number), "WEIR_", 5);
        assert_string_not_equal(weir_err_name((weir_err)number), "WEIR_E?");
        assert_true(strlen(weir_err_text((weir_err)number)) > 4);
        assert_in_range(weir_err_status((weir_err)number), 0, 16);
    }
}

TEST(err, the_table_is_what_callers_were_promised)
{
    assert_int_equal(WEIR_OK, 0);
    assert_string_equal(weir_err_name(WEIR_EAGAIN), "WEIR_EAGAIN");
    assert_int_equal(weir_err_status(WEIR_ETIMEDOUT), 4);
    assert_true(weir_err_retry(WEIR_ECONNREFUSED));
    assert_false(weir_err_retry(WEIR_EINVAL));
}

TEST(err, a_number_outside_the_table_is_unknown)
{
    for (int number = -1; number < 1000; number += 500) {
        assert_string_equal(weir_err_name((weir_err)number), number ? "WEIR_E?" : "WEIR_OK");
    }
    assert_string_equal(weir_err_name((weir_err)(WEIR_ECERT + 1)), "WEIR_E?");
    assert_int_equal(weir_err_status((weir_err)999), 2);
    assert_false(weir_err_retry((weir_err)999));
}

TEST(err, errno_values_map_to_their_like)
{
    assert_ok(weir_err_from_errno(0));
    assert_err(weir_err_from_errno(EWOULDBLOCK), WEIR_EAGAIN);
    assert_err(weir_err_from_errno(ECONNREFUSED), WEIR_ECONNREFUSED);
    assert_err(weir_err_from_errno(EPIPE), WEIR_ECLOSED);
    assert_err(weir_err_from_errno(ENETUNREACH), WEIR_EUNREACH);
    assert_err(weir_err_from_errno(ENOTBLK), WEIR_EIO);
}

TEST(err, a_reason_is_cut_to_fit_and_may_be_left_out)
{
    weir_why why = {"untouched"};
    assert_err(weir_why_set(NULL, WEIR_EINVAL, "nobody %s", "reads this"), WEIR_EINVAL);
    assert_err(weir_why_set(&why, WEIR_EPROTO, "line %d", 7), WEIR_EPROTO);
    assert_string_equal(why.text, "line 7");
    assert_err(weir_why_set(&why, WEIR_EPROTO, "%500s", "x"), WEIR_EPROTO);
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
}
