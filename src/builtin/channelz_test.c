/* channelz of a process that has channels and servers, asked with the generated client. */
#include "certs.h"
#include "test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "rpc_testing.h"
#include <weir/builtin/channelz.h>

#include "grpc/channelz/v1/channelz.weir.h"

/** A call with the fields of its request. @return its status */
#define ASK(method, reply, ...)                                                                    \
    weir__channelz_channelz_##method(                                                              \
        asker, mem, &(weir__channelz_##method##_request){__VA_ARGS__}, reply, NULL)                \
        .code

static test_server server;
static weir_channel *asker; /* a channel of its own, which is seen like every other */
static weir_arena *mem;

static void answer(weir_call *call, const text *request, void *user)
{
    (void)user;
    assert_ok(weir_call_reply(call, request));
}

static const test_handler answering[METHODS] = {[UNARY] = {.open = answer}};

static void open_at(const char *addr, weir_tls *tls, weir_tls *client_tls)
{
    test_server_prepare(&server, addr, answering, NULL,
                        &(weir_server_opts){.loops = 2, .tls = tls});
    assert_ok(weir_channelz_serve(server.server));
    test_server_go(&server);
    asker = weir_channel_new(server.addr, &(weir_channel_opts){.tls = client_tls});
    mem = weir_arena_new();
}

static void open_all(void)
{
    open_at("127.0.0.1:0", NULL, NULL);
}

static void close_all(void)
{
    weir_channel_free(asker);
    weir_arena_free(mem);
    test_server_stop(&server);
    test_server_join(&server);
}

static const weir__channelz_server *only_server(void)
{
    weir__channelz_get_servers_response *reply;
    assert_int_equal(ASK(get_servers, &reply, .start_server_id = 0), WEIR_STATUS_OK);
    assert_int_equal(reply->server.len, 1);
    assert_true(reply->end);
    return &reply->server.items[0];
}

static const weir__channelz_channel *first_channel(void)
{
    weir__channelz_get_top_channels_response *reply;
    assert_int_equal(ASK(get_top_channels, &reply, .start_channel_id = 0), WEIR_STATUS_OK);
    assert_true(reply->channel.len > 0);
    return &reply->channel.items[0];
}

static const weir__channelz_socket *socket_of(int64_t id, bool summary)
{
    weir__channelz_get_socket_response *reply;
    assert_int_equal(ASK(get_socket, &reply, .socket_id = id, .summary = summary), WEIR_STATUS_OK);
    assert_non_null(reply->socket);
    assert_int_equal(reply->socket->ref->socket_id, id);
    return reply->socket;
}

static void check_ip(const weir__channelz_address *address)
{
    uint32_t loopback = htonl(INADDR_LOOPBACK);
    assert_int_equal(address->address_case, WEIR__CHANNELZ_ADDRESS_ADDRESS_TCPIP_ADDRESS);
    const weir__channelz_address_tcp_ip_address *ip = address->address.tcpip_address;
    assert_int_equal(ip->ip_address.len, 4);
    assert_memory_equal(ip->ip_address.ptr, &loopback, 4);
    assert_true(ip->port > 0);
}

static void check_text(weir_str is, const char *expected)
{
    if (!weir_str_eq(is, weir_str_from(expected)))
        fail_msg("\"%.*s\" should be \"%s\"", WEIR_STR_ARGS(is), expected);
}

/* From the top to the connection. */

TEST(channelz, a_channel_leads_to_its_connection)
{
    open_all();
    const weir__channelz_channel *channel = first_channel();
    check_text(channel->ref->name, server.addr);
    check_text(channel->data->target, server.addr);
    assert_int_equal(channel->data->state->state,
                     WEIR__CHANNELZ_CHANNEL_CONNECTIVITY_STATE_STATE_READY);
    assert_int_equal(channel->data->calls_started, 1);
    assert_non_null(channel->data->last_call_started_timestamp);
    assert_int_equal(channel->data->trace->num_events_logged, 3);
    assert_int_equal(channel->data->trace->events.len, 3);
    assert_int_equal(channel->subchannel_ref.len, 1);
    int64_t id = channel->subchannel_ref.items[0].subchannel_id;
    assert_int_equal(channel->data->trace->events.items[0].child_ref.subchannel_ref->subchannel_id,
                     id);
    weir__channelz_get_subchannel_response *sub;
    assert_int_equal(ASK(get_subchannel, &sub, .subchannel_id = id), WEIR_STATUS_OK);
    assert_int_equal(sub->subchannel->ref->subchannel_id, id);
    assert_int_equal(sub->subchannel->data->calls_started, 2);
    assert_int_equal(sub->subchannel->socket_ref.len, 1);
    check_text(sub->subchannel->socket_ref.items[0].name, server.addr);
    const weir__channelz_socket *socket =
        socket_of(sub->subchannel->socket_ref.items[0].socket_id, true);
    assert_int_equal(socket->data->streams_started, 3);
    assert_int_equal(socket->data->streams_succeeded, 2);
    assert_int_equal(socket->data->messages_received, 2);
    assert_non_null(socket->data->last_local_stream_created_timestamp);
    assert_null(socket->data->last_remote_stream_created_timestamp);
    check_ip(socket->local);
    check_ip(socket->remote);
    close_all();
}

TEST(channelz, a_server_leads_to_its_listener_and_its_connections)
{
    open_all();
    const weir__channelz_server *found = only_server();
    check_text(found->ref->name, server.addr);
    weir__channelz_get_server_response *again;
    assert_int_equal(ASK(get_server, &again, .server_id = found->ref->server_id), WEIR_STATUS_OK);
    assert_int_equal(again->server->data->calls_started, 2);
    assert_int_equal(again->server->data->calls_failed, 0);
    assert_int_equal(again->server->listen_socket.len, 1);
    const weir__channelz_socket *listener =
        socket_of(again->server->listen_socket.items[0].socket_id, false);
    check_ip(listener->local);
    assert_null(listener->remote);
    weir__channelz_get_server_sockets_response *sockets;
    assert_int_equal(ASK(get_server_sockets, &sockets, .server_id = found->ref->server_id),
                     WEIR_STATUS_OK);
    assert_int_equal(sockets->socket_ref.len, 1);
    assert_true(sockets->end);
    const weir__channelz_socket *socket = socket_of(sockets->socket_ref.items[0].socket_id, false);
    assert_non_null(socket->data->last_remote_stream_created_timestamp);
    assert_null(socket->data->last_local_stream_created_timestamp);
    assert_true(socket->data->local_flow_control_window->value > 0);
    assert_true(socket->data->remote_flow_control_window->value > 0);
    assert_int_equal(socket->data->option.len, 1);
    check_text(socket->data->option.items[0].name, "TCP_INFO");
    assert_null(socket->security);
    close_all();
}

TEST(channelz, unix_sockets_have_paths)
{
    char addr[100];
    snprintf(addr, sizeof addr, "unix:@weir-channelz-test-%d", (int)getpid());
    open_at(addr, NULL, NULL);
    weir__channelz_get_server_sockets_response *sockets;
    assert_int_equal(ASK(get_server_sockets, &sockets, .server_id = only_server()->ref->server_id),
                     WEIR_STATUS_OK);
    const weir__channelz_socket *socket = socket_of(sockets->socket_ref.items[0].socket_id, false);
    assert_int_equal(socket->local->address_case, WEIR__CHANNELZ_ADDRESS_ADDRESS_UDS_ADDRESS);
    check_text(socket->local->address.uds_address->filename, addr + 5);
    assert_int_equal(socket->data->option.len, 0);
    close_all();
}

static void check_cipher(weir_tls_version version, bool standard)
{
    weir_tls *tls, *client_tls;
    assert_ok(weir_tls_server_new(
        &tls, &(weir_tls_opts){.cert_file = CERT("server"), .key_file = KEY("server")}, NULL));
    assert_ok(weir_tls_client_new(
        &client_tls, &(weir_tls_opts){.ca_file = CERT("ca"), .max_version = version}, NULL));
    open_at("127.0.0.1:0", tls, client_tls);
    weir__channelz_get_server_sockets_response *sockets;
    int64_t id = only_server()->ref->server_id;
    assert_int_equal(ASK(get_server_sockets, &sockets, .server_id = id), WEIR_STATUS_OK);
    id = sockets->socket_ref.items[0].socket_id;
    assert_null(socket_of(id, true)->security);
    const weir__channelz_security_tls *found = socket_of(id, false)->security->model.tls;
    if (standard)
        assert_true(weir_str_starts(found->cipher_suite.standard_name, WEIR_STR("TLS_AES_")));
    else
        assert_true(weir_str_starts(found->cipher_suite.other_name, WEIR_STR("ECDHE-")));
    close_all();
    weir_tls_unref(tls);
    weir_tls_unref(client_tls);
}

TEST(channelz, tls_tells_its_cipher)
{
    check_cipher(WEIR_TLS_1_3, true);
    check_cipher(WEIR_TLS_1_2, false);
}

/* Pages. */

TEST(channelz, lists_come_in_pages)
{
    weir__channelz_get_top_channels_response *reply;
    weir_channel *others[4];
    int64_t start = 0;
    size_t count = 0;
    open_all();
    for (int i = 0; i < 4; i++)
        others[i] = weir_channel_new("unix:/nowhere", NULL);
    do {
        assert_int_equal(ASK(get_top_channels, &reply, .start_channel_id = start, .max_results = 2),
                         WEIR_STATUS_OK);
        assert_true(reply->channel.len <= 2);
        for (size_t i = 0; i < reply->channel.len; i++, count++) {
            assert_true(reply->channel.items[i].ref->channel_id >= start);
            start = reply->channel.items[i].ref->channel_id + 1;
        }
    } while (!reply->end);
    assert_int_equal(count, 5);
    assert_int_equal(ASK(get_top_channels, &reply, .start_channel_id = start), WEIR_STATUS_OK);
    assert_int_equal(reply->channel.len, 0);
    assert_true(reply->end);
    for (int i = 0; i < 4; i++)
        weir_channel_free(others[i]);
    close_all();
}

/* What is not there. */

TEST(channelz, ids_of_nothing_and_of_other_kinds_are_not_found)
{
    open_all();
    int64_t server_id = only_server()->ref->server_id;
    int64_t channel_id = first_channel()->ref->channel_id;
    const int64_t ids[] = {0, -1, 12345, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        weir__channelz_get_server_response *a;
        weir__channelz_get_channel_response *b;
        weir__channelz_get_subchannel_response *c;
        weir__channelz_get_socket_response *d;
        weir__channelz_get_server_sockets_response *e;
        assert_int_equal(ASK(get_server, &a, .server_id = ids[i]), WEIR_STATUS_NOT_FOUND);
        assert_int_equal(ASK(get_channel, &b, .channel_id = ids[i]), WEIR_STATUS_NOT_FOUND);
        assert_int_equal(ASK(get_subchannel, &c, .subchannel_id = ids[i]), WEIR_STATUS_NOT_FOUND);
        assert_int_equal(ASK(get_socket, &d, .socket_id = ids[i]), WEIR_STATUS_NOT_FOUND);
        assert_int_equal(ASK(get_server_sockets, &e, .server_id = ids[i]), WEIR_STATUS_NOT_FOUND);
    }
    weir__channelz_get_server_response *a;
    weir__channelz_get_channel_response *b;
    weir__channelz_get_server_sockets_response *e;
    assert_int_equal(ASK(get_server, &a, .server_id = channel_id), WEIR_STATUS_NOT_FOUND);
    assert_int_equal(ASK(get_channel, &b, .channel_id = server_id), WEIR_STATUS_NOT_FOUND);
    assert_int_equal(ASK(get_server_sockets, &e, .server_id = channel_id + 1),
                     WEIR_STATUS_NOT_FOUND);
    close_all();
}

TEST(channelz, negative_numbers_of_pages_are_refused)
{
    weir__channelz_get_top_channels_response *a;
    weir__channelz_get_servers_response *b;
    weir__channelz_get_server_sockets_response *c;
    open_all();
    assert_int_equal(ASK(get_top_channels, &a, .start_channel_id = -1),
                     WEIR_STATUS_INVALID_ARGUMENT);
    assert_int_equal(ASK(get_servers, &b, .max_results = -1), WEIR_STATUS_INVALID_ARGUMENT);
    assert_int_equal(ASK(get_server_sockets, &c, .start_socket_id = -1),
                     WEIR_STATUS_INVALID_ARGUMENT);
    assert_int_equal(ASK(get_servers, &b, .max_results = INT64_MAX), WEIR_STATUS_OK);
    close_all();
}

/** The answer finds neither the call nor its connection. */
TEST(channelz, who_asks_and_leaves_is_not_answered)
{
    weir_loop *loop;
    open_all();
    int64_t mine = first_channel()->ref->channel_id;
    assert_ok(weir_loop_new(&loop, NULL)); /* does not turn */
    weir_channel *asleep = weir_channel_new("unix:/nowhere", &(weir_channel_opts){.loop = loop});
    weir__channelz_get_top_channels_response *top;
    assert_int_equal(ASK(get_top_channels, &top, .start_channel_id = mine + 1), WEIR_STATUS_OK);
    assert_int_equal(top->channel.len, 1);
    weir__channelz_get_subchannel_response *reply;
    weir_status end = weir__channelz_channelz_get_subchannel(
        asker, mem,
        &(weir__channelz_get_subchannel_request){
            .subchannel_id = top->channel.items[0].subchannel_ref.items[0].subchannel_id},
        &reply, &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(20)});
    assert_int_equal(end.code, WEIR_STATUS_DEADLINE_EXCEEDED);
    weir_channel_free(asleep);
    assert_ok(weir_loop_run_once(loop, 0));
    weir_loop_free(loop);
    assert_int_equal(first_channel()->ref->channel_id, mine);
    close_all();
}
