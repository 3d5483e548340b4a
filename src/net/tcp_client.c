#include <weir/net/tcp_client.h>

#include "conn_impl.h"

#include <weir/net/connector.h>

#include <stdlib.h>

struct weir_tcp_client {
    weir_loop *loop;
    const weir_conn_ops *ops;
    void *user;
    weir_tcp_client_opts opts;
    weir_connector *connector; /* at work only while there is no connection */
    weir__conn_group group;    /* of one connection at most */
    weir_time up;              /* since when */
    bool wanted;               /* another connection after this one */
    bool freed;                /* gone with its connection */
};

weir_conn *weir_tcp_client_conn(const weir_tcp_client *client)
{
    const weir_list *conns = &client->group.conns;
    return weir_list_empty(conns) ? NULL : WEIR_CONTAINER_OF(conns->next, weir_conn, node);
}

static void destroy(weir_tcp_client *client)
{
    weir_connector_free(client->connector);
    free(client);
}

/** The connection did well, or its successor has to wait. */
static void judge(weir_tcp_client *client)
{
    int64_t lived_us = weir_time_diff(weir_time_now(), client->up);
    if (lived_us >= client->opts.stable_us)
        weir_connector_reset(client->connector);
    else
        (void)weir_connector_back_off(client->connector);
}

/** After on_down, when the connection's memory is gone. */
static void on_left(weir__conn_group *group, const weir_addr *peer WEIR_UNUSED)
{
    weir_tcp_client *client = WEIR_CONTAINER_OF(group, weir_tcp_client, group);
    if (client->freed) {
        destroy(client);
        return;
    }
    judge(client);
    if (client->wanted)
        weir_connector_start(client->connector);
}

static void on_failed(weir_connector *connector, weir_err err, int64_t retry_us, void *user)
{
    weir_tcp_client *client = user;
    if (client->opts.on_failed)
        client->opts.on_failed(client, err, weir_connector_why(connector), retry_us, client->user);
}

static void on_connected(weir_connector *connector, int fd, void *user)
{
    weir_tcp_client *client = user;
    weir_conn *conn;
    client->up = weir_time_now();
    client->wanted = client->opts.reconnect;
    weir_err err = weir__conn_open_take(&conn, client->loop, fd, NULL, client->ops, client->user,
                                        &client->opts.conn, &client->group);
    if (!err)
        return;
    int64_t retry_us = weir_connector_back_off(connector);
    weir_connector_start(connector);
    if (client->opts.on_failed)
        client->opts.on_failed(client, err, weir_err_text(err), retry_us, client->user);
}

static const weir_connector_ops connector_ops = {on_connected, on_failed, NULL};

weir_err weir_tcp_client_new(weir_tcp_client **out, weir_loop *loop, const char *target,
                             const weir_conn_ops *ops, void *user, const weir_tcp_client_opts *opts)
{
    weir_tcp_client *client = calloc(1, sizeof *client);
    if (!client)
        return WEIR_ENOMEM;
    client->loop = loop;
    client->ops = ops;
    client->user = user;
    if (opts)
        client->opts = *opts;
    if (client->opts.stable_us <= 0)
        client->opts.stable_us = WEIR_SECONDS(1);
    weir_list_init(&client->group.conns);
    client->group.on_left = on_left;
    weir_err err = weir_connector_new_name(&client->connector, loop, target, &connector_ops, client,
                                           &client->opts.connector);
    if (err) {
        free(client);
        return err;
    }
    client->opts.connector.lookup.servers = NULL; /* the connector has a copy */
    *out = client;
    return WEIR_OK;
}

void weir_tcp_client_start(weir_tcp_client *client)
{
    weir_loop_assert(client->loop);
    const weir_conn *conn = weir_tcp_client_conn(client);
    if (!conn)
        weir_connector_start(client->connector);
    else if (weir_conn_get_state(conn) != WEIR_CONN_CONNECTED)
        client->wanted = true;
}

void weir_tcp_client_stop(weir_tcp_client *client)
{
    weir_loop_assert(client->loop);
    client->wanted = false;
    weir_connector_stop(client->connector);
    weir_conn *conn = weir_tcp_client_conn(client);
    if (conn)
        weir_conn_close(conn);
}

void weir_tcp_client_free(weir_tcp_client *client)
{
    if (!client)
        return;
    weir_loop_assert(client->loop);
    weir_connector_stop(client->connector);
    weir_conn *conn = weir_tcp_client_conn(client);
    if (!conn) {
        destroy(client);
        return;
    }
    client->freed = true;
    weir_conn_abort(conn, WEIR_ECANCELED);
}
