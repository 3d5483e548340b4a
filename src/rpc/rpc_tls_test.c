/* Calls over TLS. */
#include "certs.h"
#include "test.h"

#include "rpc_testing.h"

#include <stdio.h>
#include <string.h>

/** A server, and a channel to it. */
struct fixture {
    test_server server;
    weir_tls *server_tls, *client_tls;
    weir_channel *channel;
    weir_arena *mem;
};

/** Answers with who asks. */
static void answer(weir_call *call, const text *request WEIR_UNUSED, void *user WEIR_UNUSED)
{
    const weir_tls_info *tls = weir_call_tls(call);
    text reply = {.text = WEIR_STR("plaintext")};
    if (tls)
        reply.text = weir_call_printf(call, "%s %s %s %s", tls->version, tls->alpn,
                                      tls->verified ? tls->subject : "nobody",
                                      tls->name_count ? tls->names[0] : "-");
    weir_err err = weir_call_reply(call, &reply);
    assert_ok(err);
}

static weir_status answer_blocking(weir_blocking_call *call, const text *request WEIR_UNUSED,
                                   text *reply, void *user WEIR_UNUSED)
{
    reply->text = weir_blocking_printf(call, "%s", weir_blocking_tls(call)->subject);
    return (weir_status){0};
}

static const test_handler methods[METHODS] = {[UNARY] = {.open = answer}};
static const test_handler blocking_methods[METHODS] = {[UNARY] = {.blocking = answer_blocking}};

static const weir_tls_opts plain_server = {.cert_file = CERT("server"), .key_file = KEY("server")};
static const weir_tls_opts asking_server = {
    .cert_file = CERT("server"), .key_file = KEY("server"), .client_ca_file = CERT("ca")};
static const weir_tls_opts plain_client = {.ca_file = CERT("ca")};
static const weir_tls_opts alice = {
    .ca_file = CERT("ca"), .cert_file = CERT("alice"), .key_file = KEY("alice")};

/** @param server,client  NULL: plaintext @param opts  the channel's */
static void open_fixture(struct fixture *f, const test_handler *handlers,
                         const weir_tls_opts *server, const weir_tls_opts *client,
                         const weir_channel_opts *opts)
{
    weir_channel_opts own = opts ? *opts : (weir_channel_opts){0};
    *f = (struct fixture){.mem = weir_arena_new()};
    if (server)
        assert_ok(weir_tls_server_new(&f->server_tls, server, NULL));
    if (client)
        assert_ok(weir_tls_client_new(&f->client_tls, client, NULL));
    test_server_open(&f->server, handlers, NULL, &(weir_server_opts){.tls = f->server_tls});
    own.tls = f->client_tls;
    f->channel = weir_channel_new(f->server.addr, &own);
    assert_non_null(f->channel);
}

static void close_fixture(struct fixture *f)
{
    weir_channel_free(f->channel);
    weir_arena_free(f->mem);
    test_server_stop(&f->server);
    test_server_join(&f->server);
    weir_tls_unref(f->server_tls);
    weir_tls_unref(f->client_tls);
}

static weir_status ask(struct fixture *f, weir_str *reply)
{
    text *got = NULL;
    weir_status status =
        weir_unary_call(f->channel, &test_methods[UNARY], f->mem, &(text){0}, (void **)&got, NULL);
    if (got)
        *reply = got->text;
    return status;
}

static void expect(struct fixture *f, const char *expected)
{
    weir_str reply = {0};
    weir_status status = ask(f, &reply);
    assert_string_equal(weir_status_text(&status), "OK");
    if (!weir_str_eq(reply, weir_str_from(expected)))
        fail_msg("\"%.*s\" instead of \"%s\"", WEIR_STR_ARGS(reply), expected);
}

static void expect_unavailable(struct fixture *f, const char *part)
{
    weir_str reply;
    weir_status status = ask(f, &reply);
    assert_int_equal(status.code, WEIR_STATUS_UNAVAILABLE);
    if (!strstr(weir_status_text(&status), part))
        fail_msg("\"%s\" does not say \"%s\"", weir_status_text(&status), part);
}

TEST(rpc_tls, calls_go_through)
{
    struct fixture f;
    open_fixture(&f, methods, &plain_server, &plain_client, NULL);
    for (int i = 0; i < 10; i++)
        expect(&f, "TLSv1.3 h2 nobody -");
    close_fixture(&f);
}

TEST(rpc_tls, a_handler_sees_who_calls)
{
    struct fixture f;
    open_fixture(&f, methods, &asking_server, &alice, NULL);
    expect(&f, "TLSv1.3 h2 CN=alice,O=weir URI:spiffe://example/alice");
    close_fixture(&f);
    open_fixture(&f, blocking_methods, &asking_server, &alice, NULL);
    expect(&f, "CN=alice,O=weir");
    close_fixture(&f);
    open_fixture(&f, methods, NULL, NULL, NULL);
    expect(&f, "plaintext");
    close_fixture(&f);
}

struct seen {
    weir_latch done;
    char subject[64];
};

static void note_closed(weir_call *call, const weir_status *status, const void *events WEIR_UNUSED,
                        void *user)
{
    struct seen *seen = user;
    const weir_tls_info *tls = weir_call_tls(call);
    snprintf(seen->subject, sizeof seen->subject, "%s %s", tls ? tls->subject : "plaintext",
             weir_status_text(status));
    weir_latch_down(&seen->done);
}

static void ignore_headers(weir_call *call WEIR_UNUSED, const void *events WEIR_UNUSED,
                           void *user WEIR_UNUSED)
{
}

static void ignore_message(weir_call *call WEIR_UNUSED, const void *message WEIR_UNUSED,
                           const void *events WEIR_UNUSED, void *user WEIR_UNUSED)
{
}

TEST(rpc_tls, a_caller_sees_who_answers)
{
    static const weir_client_handler handler = {
        .headers = ignore_headers, .message = ignore_message, .closed = note_closed};
    struct fixture f;
    struct seen seen;
    open_fixture(&f, methods, &plain_server, &plain_client, NULL);
    weir_latch_init(&seen.done, 1);
    assert_ok(weir_call_start(f.channel, &test_methods[UNARY], &(text){0}, &handler, NULL, &seen,
                              NULL, NULL));
    weir_latch_wait(&seen.done);
    weir_latch_fini(&seen.done);
    assert_string_equal(seen.subject, "CN=server,O=weir OK");
    close_fixture(&f);
}

TEST(rpc_tls, the_name_is_the_authoritys_unless_another_is_given)
{
    struct fixture f;
    open_fixture(&f, methods, &plain_server, &plain_client,
                 &(weir_channel_opts){.authority = "foo.test.google.fr:443"});
    expect(&f, "TLSv1.3 h2 nobody -");
    close_fixture(&f);
    open_fixture(&f, methods, &plain_server, &plain_client,
                 &(weir_channel_opts){.authority = "elsewhere.example"});
    expect_unavailable(&f, "not for \"elsewhere.example\" but for localhost");
    close_fixture(&f);
    open_fixture(&f, methods, &plain_server, &plain_client,
                 &(weir_channel_opts){.authority = "elsewhere.example", .tls_name = "localhost"});
    expect(&f, "TLSv1.3 h2 nobody -");
    close_fixture(&f);
}

TEST(rpc_tls, who_is_not_trusted_is_not_called)
{
    struct fixture f;
    open_fixture(&f, methods, &plain_server, &(weir_tls_opts){.ca_file = CERT("other-ca")}, NULL);
    expect_unavailable(&f, "could not agree on TLS: the server's certificate was issued by nobody");
    close_fixture(&f);
    open_fixture(&f, methods, &asking_server, &plain_client, NULL);
    expect_unavailable(&f, "it demands a certificate of ours");
    close_fixture(&f);
}

TEST(rpc_tls, a_client_of_tls_and_a_port_of_plaintext_are_told)
{
    struct fixture f;
    open_fixture(&f, methods, NULL, &plain_client, NULL);
    expect_unavailable(&f, "the peer does not speak TLS: it began with other bytes");
    close_fixture(&f);
}

TEST(rpc_tls, a_client_of_plaintext_and_a_port_of_tls_are_told)
{
    struct fixture f;
    open_fixture(&f, methods, &plain_server, NULL, NULL);
    expect_unavailable(&f, "the peer speaks TLS, this channel is plaintext");
    close_fixture(&f);
}

TEST(rpc_tls, a_reload_disturbs_no_call)
{
    struct fixture f;
    open_fixture(&f, methods, &plain_server, &plain_client, NULL);
    expect(&f, "TLSv1.3 h2 nobody -");
    assert_ok(weir_tls_reload(f.server_tls, NULL));
    assert_ok(weir_tls_reload(f.client_tls, NULL));
    expect(&f, "TLSv1.3 h2 nobody -");
    close_fixture(&f);
}
