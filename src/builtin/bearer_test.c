#include "test.h"

#include "rpc_fixture.h"
#include <weir/builtin/bearer.h>

static void who(weir_call *call, const text *request, void *user)
{
    (void)request, (void)user;
    assert_ok(weir_call_reply(call, &(text){.text = weir_call_identity(call)}));
}

static const test_handler methods[METHODS] = {[UNARY] = {.open = who}};

static const weir_bearer_token tokens[] = {{"secret-of-ann", "ann"}, {"secret-of-bob", "bob"}};

static weir_bearer_auth_opts table = {.tokens = tokens, .token_count = 2};

static void expect_identity(const weir_interceptor_use *server, void *credentials,
                            const char *expected)
{
    rpc_fixture f;
    rpc_fixture_open(&f, methods, NULL, server, 1,
                     (weir_interceptor_use[]){{&weir_bearer_credentials, credentials}}, 1);
    rpc_fixture_expect(&f, "", NULL, expected);
    rpc_fixture_close(&f);
}

TEST(bearer, a_good_token_gives_its_identity)
{
    weir_interceptor_use auth[] = {{&weir_bearer_auth, &table}};
    expect_identity(
        auth, &(weir_bearer_credentials_opts){.token = "secret-of-ann", .allow_plaintext = true},
        "ann");
    expect_identity(
        auth, &(weir_bearer_credentials_opts){.token = "secret-of-bob", .allow_plaintext = true},
        "bob");
}

static void expect_refusal(const char *authorization, const char *expected)
{
    rpc_fixture f;
    rpc_fixture_open(&f, methods, NULL, (weir_interceptor_use[]){{&weir_bearer_auth, &table}}, 1,
                     NULL, 0);
    weir_metadata metadata = {0};
    if (authorization)
        assert_ok(weir_metadata_add(&metadata, f.mem, WEIR_STR("authorization"),
                                    weir_str_from(authorization)));
    rpc_fixture_refused(&f, UNARY, &(weir_call_opts){.metadata = &metadata},
                        WEIR_STATUS_UNAUTHENTICATED, expected);
    rpc_fixture_close(&f);
}

TEST(bearer, without_a_good_token_a_call_is_refused)
{
    expect_refusal(NULL, "send a token");
    expect_refusal("", "send a token");
    expect_refusal("Bearer ", "send a token");
    expect_refusal("Basic YW5uOmFubg==", "send a token");
    expect_refusal("Bearer secret-of-an", "the bearer token is not accepted");
    expect_refusal("Bearer secret-of-ann2", "the bearer token is not accepted");
    expect_refusal("Bearer secret-of-bnn", "the bearer token is not accepted");
}

TEST(bearer, the_scheme_may_be_in_any_case)
{
    rpc_fixture f;
    rpc_fixture_open(&f, methods, NULL, (weir_interceptor_use[]){{&weir_bearer_auth, &table}}, 1,
                     NULL, 0);
    weir_metadata metadata = {0};
    assert_ok(weir_metadata_add(&metadata, f.mem, WEIR_STR("authorization"),
                                WEIR_STR("bEARER secret-of-ann")));
    rpc_fixture_expect(&f, "", &(weir_call_opts){.metadata = &metadata}, "ann");
    rpc_fixture_close(&f);
}

TEST(bearer, open_paths_need_no_token)
{
    static const char *const open[] = {"/other.Service/", "/test.Test/Un", NULL};
    weir_bearer_auth_opts opts = table;
    opts.open_paths = open;
    rpc_fixture f;
    rpc_fixture_open(&f, methods, NULL, (weir_interceptor_use[]){{&weir_bearer_auth, &opts}}, 1,
                     NULL, 0);
    rpc_fixture_expect(&f, "", NULL, "");
    rpc_fixture_refused(&f, CHAT, NULL, WEIR_STATUS_UNAUTHENTICATED, "send a token");
    rpc_fixture_close(&f);
}

/* Those who have to ask elsewhere: the first time they hold the call. */

typedef struct elsewhere {
    int asked;
} elsewhere;

static bool ask_first(weir_call *call, elsewhere *e)
{
    if (e->asked++ > 0)
        return false;
    weir_call_hold(call);
    assert_ok(weir_call_proceed_post(weir_call_id_of(call)));
    return true;
}

static weir_err check_elsewhere(weir_call *call, weir_str token, weir_str *identity, void *user)
{
    if (ask_first(call, user))
        return WEIR_EAGAIN;
    *identity = token;
    return weir_str_eq(token, WEIR_STR("good")) ? WEIR_OK : WEIR_EACCES;
}

static weir_err get_elsewhere(weir_call *call, weir_str *token, void *user)
{
    if (ask_first(call, user))
        return WEIR_EAGAIN;
    *token = WEIR_STR("good");
    return WEIR_OK;
}

TEST(bearer, a_token_may_be_fetched_and_checked_elsewhere)
{
    elsewhere server = {0}, client = {0};
    weir_bearer_auth_opts auth = {.check = check_elsewhere, .user = &server};
    expect_identity((weir_interceptor_use[]){{&weir_bearer_auth, &auth}},
                    &(weir_bearer_credentials_opts){
                        .get = get_elsewhere, .user = &client, .allow_plaintext = true},
                    "good");
    assert_int_equal(server.asked, 2);
    assert_int_equal(client.asked, 2);
}

static weir_err get_nothing(weir_call *call, weir_str *token, void *user)
{
    (void)call, (void)token, (void)user;
    return WEIR_ECLOSED;
}

TEST(bearer, without_a_token_a_call_is_not_sent)
{
    rpc_fixture f;
    weir_bearer_credentials_opts none = {.get = get_nothing, .allow_plaintext = true};
    rpc_fixture_open(&f, methods, NULL, NULL, 0,
                     (weir_interceptor_use[]){{&weir_bearer_credentials, &none}}, 1);
    rpc_fixture_refused(&f, UNARY, NULL, WEIR_STATUS_UNAUTHENTICATED,
                        "no bearer token for the call: ");
    rpc_fixture_close(&f);
}

TEST(bearer, a_token_is_not_sent_in_plaintext_unless_that_is_allowed)
{
    rpc_fixture f;
    weir_bearer_credentials_opts plain = {.token = "secret-of-ann"};
    rpc_fixture_open(&f, methods, NULL, NULL, 0,
                     (weir_interceptor_use[]){{&weir_bearer_credentials, &plain}}, 1);
    rpc_fixture_refused(&f, UNARY, NULL, WEIR_STATUS_UNAUTHENTICATED,
                        "a bearer token is not sent in plaintext");
    rpc_fixture_close(&f);
}
