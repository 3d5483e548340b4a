#include "test.h"

#include <stdio.h>

#include "rpc_fixture.h"
#include <weir/builtin/authorize.h>
#include <weir/builtin/bearer.h>

static void answer(weir_call *call, const text *request, void *user)
{
    (void)request, (void)user;
    assert_ok(weir_call_reply(call, &(text){.text = WEIR_STR("done")}));
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.open = answer}, [SPLIT] = {.open = answer}};

static bool only_ann(weir_call *call, void *user)
{
    return weir_str_eq(weir_call_identity(call), weir_str_from(user));
}

static const weir_bearer_token tokens[] = {{"a", "ann"}, {"b", "bob"}};
static weir_bearer_auth_opts table = {.tokens = tokens, .token_count = 2};
static const char *const anybody[] = {"/", NULL};

static void open_fixture(rpc_fixture *f, const weir_authorize_rule *rules, size_t count,
                         weir_authorize_opts *opts)
{
    *opts = (weir_authorize_opts){rules, count};
    table.open_paths = anybody;
    rpc_fixture_open(f, methods, NULL,
                     (weir_interceptor_use[]){{&weir_bearer_auth, &table}, {&weir_authorize, opts}},
                     2, NULL, 0);
}

/** As whom; "" is nobody. */
static weir_status_code call_as(rpc_fixture *f, const char *token, int method)
{
    weir_metadata metadata = {0};
    char value[40];
    snprintf(value, sizeof value, "Bearer %s", token);
    if (token[0])
        assert_ok(
            weir_metadata_add(&metadata, f->mem, WEIR_STR("authorization"), weir_str_from(value)));
    text *reply;
    return rpc_fixture_ask(f, method, "", &(weir_call_opts){.metadata = &metadata}, &reply).code;
}

TEST(authorize, the_first_rule_that_fits_decides)
{
    static const weir_authorize_rule rules[] = {
        {"/test.Test/Unary", only_ann, "ann"},
        {"/test.Test/", weir_allow_known, NULL},
        {"/", weir_allow_all, NULL},
    };
    weir_authorize_opts opts;
    rpc_fixture f;
    open_fixture(&f, rules, 3, &opts);
    assert_int_equal(call_as(&f, "a", UNARY), WEIR_STATUS_OK);
    assert_int_equal(call_as(&f, "b", UNARY), WEIR_STATUS_PERMISSION_DENIED);
    assert_int_equal(call_as(&f, "", UNARY), WEIR_STATUS_PERMISSION_DENIED);
    assert_int_equal(call_as(&f, "b", SPLIT), WEIR_STATUS_OK);
    assert_int_equal(call_as(&f, "", SPLIT), WEIR_STATUS_PERMISSION_DENIED);
    rpc_fixture_close(&f);
}

TEST(authorize, what_no_rule_fits_is_refused)
{
    static const weir_authorize_rule rules[] = {{"/test.Test/Unary", weir_allow_all, NULL}};
    weir_authorize_opts opts;
    rpc_fixture f;
    open_fixture(&f, rules, 1, &opts);
    rpc_fixture_expect(&f, "", NULL, "done");
    rpc_fixture_refused(&f, SPLIT, NULL, WEIR_STATUS_PERMISSION_DENIED,
                        "unknown may not call /test.Test/Split");
    rpc_fixture_close(&f);
}

TEST(authorize, a_name_is_not_the_beginning_of_another)
{
    static const weir_authorize_rule rules[] = {{"/test.Test/Un", weir_allow_all, NULL}};
    weir_authorize_opts opts;
    rpc_fixture f;
    open_fixture(&f, rules, 1, &opts);
    assert_int_equal(call_as(&f, "a", UNARY), WEIR_STATUS_PERMISSION_DENIED);
    rpc_fixture_close(&f);
}
