/**
 * @file
 * TLS in memory: two engines, and the bytes between them in the test's hands.
 */
#ifndef WEIR_NET_TLS_TEST_H
#define WEIR_NET_TLS_TEST_H

#include "tls_engine.h"

#include "certs.h"
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/buf.h>

struct end {
    weir_tls *tls;
    weir__tls_engine *engine;
    weir_buf in; /* what the other end has written */
    struct end *other;
    size_t at_once; /* bytes that a read gets at most; 0: all */
    bool cut;       /* the stream has ended behind `in` */
    weir_err err;
    weir_why why;
};

struct pair {
    struct end client, server;
};

static inline ssize_t read_in(void *user, void *out, size_t len)
{
    struct end *end = user;
    size_t have = weir_buf_len(&end->in);
    if (have == 0)
        return end->cut ? 0 : -1;
    len = have < len ? have : len;
    if (end->at_once && len > end->at_once)
        len = end->at_once;
    assert_true(weir_buf_read(&end->in, out, len));
    return (ssize_t)len;
}

static inline bool write_out(void *user, const void *bytes, size_t len)
{
    struct end *end = user;
    return weir_buf_append(&end->other->in, bytes, len) == WEIR_OK;
}

static const weir__tls_io io = {read_in, write_out};

static const weir_tls_opts plain_server = {.cert_file = CERT("server"), .key_file = KEY("server")};
static const weir_tls_opts plain_client = {.ca_file = CERT("ca")};

static inline weir_tls *new_server(const weir_tls_opts *opts)
{
    weir_tls *tls = NULL;
    weir_why why = {""};
    if (weir_tls_server_new(&tls, opts ? opts : &plain_server, &why))
        fail_msg("%s", why.text);
    return tls;
}

static inline weir_tls *new_client(const weir_tls_opts *opts)
{
    weir_tls *tls = NULL;
    weir_why why = {""};
    if (weir_tls_client_new(&tls, opts ? opts : &plain_client, &why))
        fail_msg("%s", why.text);
    return tls;
}

/** A connection of two contexts, each of which it takes a reference of. */
static inline void open_pair(struct pair *p, weir_tls *server, weir_tls *client, const char *name)
{
    *p = (struct pair){.client = {.tls = weir_tls_ref(client), .other = &p->server},
                       .server = {.tls = weir_tls_ref(server), .other = &p->client}};
    weir_buf_init(&p->client.in, NULL);
    weir_buf_init(&p->server.in, NULL);
    assert_ok(weir__tls_engine_new(&p->client.engine, client, name, NULL, &io, &p->client));
    assert_ok(weir__tls_engine_new(&p->server.engine, server, NULL, NULL, &io, &p->server));
}

static inline void close_end(struct end *end)
{
    weir__tls_engine_free(end->engine);
    weir_tls_unref(end->tls);
    weir_buf_clear(&end->in);
}

static inline void close_pair(struct pair *p)
{
    close_end(&p->client);
    close_end(&p->server);
}

static inline void step(struct end *end)
{
    if (end->err == WEIR_EAGAIN)
        end->err = weir__tls_handshake(end->engine, &end->why);
}

/** Until both ends know. */
static inline void shake_hands(struct pair *p)
{
    p->client.err = p->server.err = WEIR_EAGAIN;
    for (int i = 0; i < 100000; i++) {
        step(&p->client);
        step(&p->server);
        bool stuck = weir_buf_len(&p->client.in) == 0 && weir_buf_len(&p->server.in) == 0;
        if ((p->client.err != WEIR_EAGAIN && p->server.err != WEIR_EAGAIN) || (stuck && i > 2))
            return;
    }
    fail_msg("the handshake has no end");
}

/** A client of TLS 1.3 learns only when it reads what the server thinks of its certificate. */
static inline weir_err client_reads(struct pair *p)
{
    char bytes[100];
    size_t got;
    return weir__tls_read(p->client.engine, bytes, sizeof bytes, &got, &p->client.why);
}

static inline void transfer(struct end *from, struct end *to, const char *text)
{
    char got[100] = "";
    size_t len = strlen(text), have = 0, n;
    assert_ok(weir__tls_write(from->engine, text, len, NULL));
    while (have < len) {
        assert_ok(weir__tls_read(to->engine, got + have, sizeof got - have, &n, &to->why));
        have += n;
    }
    assert_string_equal(got, text);
}

static inline void assert_up(struct pair *p)
{
    if (p->client.err || p->server.err)
        fail_msg("client: %s, %s; server: %s, %s", weir_err_name(p->client.err), p->client.why.text,
                 weir_err_name(p->server.err), p->server.why.text);
    transfer(&p->client, &p->server, "from the client");
    transfer(&p->server, &p->client, "from the server");
}

/** Opens a connection, looks at it from one end, and closes it; both contexts are given up. */
static inline weir_tls_info *connect_once(weir_tls *server, weir_tls *client, const char *name,
                                          bool at_server)
{
    struct pair p;
    open_pair(&p, server, client, name);
    shake_hands(&p);
    assert_up(&p);
    weir_tls_info *info = weir__tls_info_new(at_server ? p.server.engine : p.client.engine);
    assert_non_null(info);
    close_pair(&p);
    return info;
}

/** What the ends say when it goes wrong. */
static inline void refuse(struct pair *p, const weir_tls_opts *server_opts,
                          const weir_tls_opts *client_opts, const char *name)
{
    weir_tls *server = new_server(server_opts), *client = new_client(client_opts);
    open_pair(p, server, client, name);
    shake_hands(p);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

#define assert_says(end, part)                                                                     \
    do {                                                                                           \
        if (!strstr((end).why.text, part))                                                         \
            fail_msg("\"%s\" does not say \"%s\"", (end).why.text, part);                          \
    } while (0)

#endif
