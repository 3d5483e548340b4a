#include <weir/net/tcp_client.h>

#include "conn_impl.h"

#include <weir/net/connector.h>

#include <stdlib.h>
#include <string.h>

struct weir_tcp_client {
    weir_loop *loop;
    const weir_conn_ops *ops;
    void *user;
    weir_tcp_client_opts opts;
    weir_connector *connector; /* at work only while there is no connection */
    weir__conn_group group;    /* of one connection at most */
    weir_time up;              /* since when */
    bool wanted;               /* another connection after this one */
    bool trying;               /* the same, if its handshake fails */
    weir_err failure;          /* of that handshake */
    weir_why why;
    char *tls_name;
    bool freed; /* gone with its connection */
};

/** Also one whose TLS handshake goes on. */
static weir_conn *conn_of(const weir_tcp_client *client)
{
    const weir_list *conns = &client->group.conns;
    return weir_list_empty(conns) ? NULL : WEIR_CONTAINER_OF(conns->next, weir_conn, node);
}

weir_conn *weir_tcp_client_conn(const weir_tcp_client *client)
{
    weir_conn *conn = conn_of(client);
    return conn && !conn->handshaking ? conn : NULL;
}

static void destroy(weir_tcp_client *client)
{
    weir_connector_free(client->connector);
    weir_tls_unref(client->opts.conn.tls);
    free(client->tls_name);
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

static void on_handshake_failed(weir__conn_group *group, weir_err err, const char *why)
{
    weir_tcp_client *client = WEIR_CONTAINER_OF(group, weir_tcp_client, group);
    client->failure = err;
    weir_why_set(&client->why, err, "%s", why);
}

/** The callback comes last: it may free the client. */
static void retry(weir_tcp_client *client, weir_err err, const char *why)
{
    int64_t retry_us = weir_connector_back_off(client->connector);
    weir_connector_start(client->connector);
    if (client->opts.on_failed)
        client->opts.on_failed(client, err, why, retry_us, client->user);
}

/** After on_down, when the connection's memory is gone. */
static void on_left(weir__conn_group *group, const weir_addr *peer WEIR_UNUSED)
{
    weir_tcp_client *client = WEIR_CONTAINER_OF(group, weir_tcp_client, group);
    if (client->freed) {
        destroy(client);
        return;
    }
    weir_err failure = client->failure;
    client->failure = WEIR_OK;
    if (failure && client->trying) {
        retry(client, failure, client->why.text);
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

static void on_connected(weir_connector *connector WEIR_UNUSED, int fd, void *user)
{
    weir_tcp_client *client = user;
    weir_conn *conn;
    client->up = weir_time_now();
    client->wanted = client->opts.reconnect;
    client->trying = true;
    weir_err err = weir__conn_open_take(&conn, client->loop, fd, NULL, client->ops, client->user,
                                        &client->opts.conn, &client->group);
    if (err)
        retry(client, err, weir_err_text(err));
}

static const weir_connector_ops connector_ops = {on_connected, on_failed, NULL};

/** The certificate must be for the host of "HOST:PORT", if it is for no other. */
static weir_err keep_tls_name(weir_tcp_client *client, const char *target)
{
    const char *name = client->opts.conn.tls_name, *colon = strrchr(target, ':');
    if (!name && strncmp(target, "unix:", 5) == 0)
        name = "localhost";
    if (name)
        client->tls_name = strdup(name);
    else if (target[0] == '[')
        client->tls_name = strndup(target + 1, strcspn(target + 1, "]"));
    else
        client->tls_name = strndup(target, colon ? (size_t)(colon - target) : strlen(target));
    client->opts.conn.tls_name = client->tls_name;
    return client->tls_name ? WEIR_OK : WEIR_ENOMEM;
}

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
    client->group.on_failed = on_handshake_failed;
    weir_tls_ref(client->opts.conn.tls);
    weir_err err = client->opts.conn.tls ? keep_tls_name(client, target) : WEIR_OK;
    if (!err)
        err = weir_connector_new_name(&client->connector, loop, target, &connector_ops, client,
                                      &client->opts.connector);
    if (err) {
        destroy(client);
        return err;
    }
    client->opts.connector.lookup.servers = NULL; /* the connector has a copy */
    *out = client;
    return WEIR_OK;
}

void weir_tcp_client_start(weir_tcp_client *client)
{
    weir_loop_assert(client->loop);
    const weir_conn *conn = conn_of(client);
    if (!conn)
        weir_connector_start(client->connector);
    else if (conn->handshaking)
        client->trying = true;
    else if (weir_conn_get_state(conn) != WEIR_CONN_CONNECTED)
        client->wanted = true;
}

void weir_tcp_client_stop(weir_tcp_client *client)
{
    weir_loop_assert(client->loop);
    client->wanted = client->trying = false;
    weir_connector_stop(client->connector);
    weir_conn *conn = conn_of(client);
    if (conn)
        weir_conn_close(conn);
}

void weir_tcp_client_free(weir_tcp_client *client)
{
    if (!client)
        return;
    weir_loop_assert(client->loop);
    weir_connector_stop(client->connector);
    weir_conn *conn = conn_of(client);
    if (!conn) {
        destroy(client);
        return;
    }
    client->freed = true;
    weir_conn_abort(conn, WEIR_ECANCELED);
}
