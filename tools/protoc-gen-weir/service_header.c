/* What a header declares for a service: the server's table of callbacks, the client's stubs. */
#include "comments.h"
#include "service.h"

/* The server's side. */

static const char unary_member[] =
    "    void (*$member$)(weir_call *call, const $request$ *request, void *user);\n";

static const char server_stream_member[] =
    "    struct {\n"
    "        void (*open)(weir_call *call, const $request$ *request, void *user);\n"
    "        void (*writable)(weir_call *call, void *user);\n"
    "        void (*closed)(weir_call *call, const weir_status *why, void *user);\n"
    "    } $member$;\n";

static const char client_stream_member[] =
    "    struct {\n"
    "        void (*open)(weir_call *call, void *user);\n"
    "        void (*message)(weir_call *call, const $request$ *message, void *user);\n"
    "        void (*half_closed)(weir_call *call, void *user);\n"
    "        void (*writable)(weir_call *call, void *user);\n"
    "        void (*closed)(weir_call *call, const weir_status *why, void *user);\n"
    "    } $member$;\n";

/* Handlers that block, in the order of m->client_streams + 2 * m->server_streams. */
static const char *const blocking_members[] = {
    "        weir_status (*$member$)(\n"
    "            weir_blocking_call *call, const $request$ *request, $reply$ *reply, void *user);\n",
    "        weir_status (*$member$)(weir_blocking_call *call, $reply$ *reply, void *user);\n",
    "        weir_status (*$member$)(\n"
    "            weir_blocking_call *call, const $request$ *request, void *user);\n",
    "        weir_status (*$member$)(weir_blocking_call *call, void *user);\n",
};

static const char blocking_read[] =
    "/** Server, a handler that blocks: the next message; WEIR_ECLOSED behind the last. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_blocking_read(\n"
    "    weir_blocking_call *call, weir_arena *mem, $request$ **message);\n";

static const char blocking_write[] =
    "/** Server, a handler that blocks: sends, and waits while the client is slow. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_blocking_write(\n"
    "    weir_blocking_call *call, const $reply$ *message);\n";

static const char serve[] =
    "/** Adds the service to a server that has not started; `methods` is borrowed. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_serve(\n"
    "    weir_server *server, const $service$_methods *methods, void *user);\n"
    "/** The same with every call's events in `queue`: see weir/rpc/queue.h. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_serve_queue(\n"
    "    weir_server *server, weir_queue *queue, void *tag);\n\n";

static const char queue_begin[] =
    "/** Client: starts $name$ with its events in `queue`: see weir/rpc/queue.h. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_queue(\n"
    "    weir_queue *queue, weir_channel *channel, ";

static const char queue_end[] = "void *tag,\n"
                                "    const weir_call_opts *opts, weir_call_id *id);\n\n";

static const char reply[] = "/** Server: the one reply to $name$, and status OK. */\n"
                            "$export$WEIR_MUST_CHECK weir_err $service$_$method$_reply(\n"
                            "    weir_call *call, const $reply$ *reply);\n"
                            "/** As $service$_$method$_reply(), from any thread. */\n"
                            "$export$WEIR_MUST_CHECK weir_err $service$_$method$_reply_post(\n"
                            "    weir_call_id id, const $reply$ *reply);\n\n";

static const char send[] = "/** Server: one more message to the client of $name$. */\n"
                           "$export$WEIR_MUST_CHECK weir_err $service$_$method$_send(\n"
                           "    weir_call *call, const $reply$ *message);\n"
                           "/** As $service$_$method$_send(), from any thread. */\n"
                           "$export$WEIR_MUST_CHECK weir_err $service$_$method$_send_post(\n"
                           "    weir_call_id id, const $reply$ *message);\n\n";

/* The client's side. */

static const char unary_stub[] =
    "/** Client: calls $name$ and waits; *reply lives in `mem` and is set when the status is OK. */\n"
    "$export$weir_status $service$_$method$(\n"
    "    weir_channel *channel, weir_arena *mem, const $request$ *request, $reply$ **reply,\n"
    "    const weir_call_opts *opts);\n"
    "/** How $name$ ended; `reply` is NULL unless the status is OK. */\n"
    "typedef void (*$service$_$method$_fn)(\n"
    "    const weir_status *status, const $reply$ *reply, void *user);\n"
    "/** Client: calls $name$; `done` comes once, in the channel's loop, unless this fails. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_async(\n"
    "    weir_channel *channel, const $request$ *request, $service$_$method$_fn done, void *user,\n"
    "    const weir_call_opts *opts);\n\n";

static const char events_begin[] =
    "/** What comes to a client of $name$, in the channel's loop; each may be NULL. */\n"
    "typedef struct $service$_$method$_events {\n"
    "    void (*headers)(weir_call *call, void *user);\n"
    "    void (*message)(weir_call *call, const $reply$ *message, void *user);\n";

static const char events_writable[] = "    void (*writable)(weir_call *call, void *user);\n";

static const char events_end[] =
    "    void (*closed)(weir_call *call, const weir_status *status, void *user);\n"
    "} $service$_$method$_events;\n";

static const char start_begin[] =
    "/** Client: starts $name$; `closed` comes once, unless this fails. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_start(\n"
    "    weir_channel *channel, ";

static const char start_end[] = "const $service$_$method$_events *events, void *user,\n"
                                "    const weir_call_opts *opts, weir_call_id *id);\n";

static const char open_begin[] =
    "/** Client: starts $name$ for a thread that waits: see weir/rpc/stream.h. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_stream_open(\n"
    "    weir_stream **out, weir_channel *channel, ";

static const char open_end[] =
    "const weir_call_opts *opts);\n"
    "/** Waits for the next message; WEIR_ECLOSED behind the last. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_stream_read(\n"
    "    weir_stream *stream, weir_arena *mem, $reply$ **message);\n"
    "/** The same, not longer than to `deadline`: WEIR_ETIMEDOUT. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_stream_read_until(\n"
    "    weir_stream *stream, weir_arena *mem, weir_time deadline,\n"
    "    $reply$ **message);\n";

static const char writes[] =
    "/** Client: one more message to the server of $name$. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_write(\n"
    "    weir_call *call, const $request$ *message);\n"
    "/** As $service$_$method$_write(), from any thread. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_write_post(\n"
    "    weir_call_id id, const $request$ *message);\n"
    "/** Sends, and waits while the server is slow. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_stream_write(\n"
    "    weir_stream *stream, const $request$ *message);\n"
    "/** The same, not longer than to `deadline`: WEIR_ETIMEDOUT. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_stream_write_until(\n"
    "    weir_stream *stream, const $request$ *message, weir_time deadline);\n"
    "/** The same without waiting: WEIR_EAGAIN. */\n"
    "$export$WEIR_MUST_CHECK weir_err $service$_$method$_stream_try_write(\n"
    "    weir_stream *stream, const $request$ *message);\n";

static void declare(generator *g, const service *sv, const method *m, const char *suffix)
{
    names_declare(&g->names, format(g->schema->mem, "%s_%s%s", sv->symbol,
                                    name_snake(g->schema->mem, m->proto->name), suffix));
}

static void print_blocking_members(printer *out, const service *sv)
{
    print(out, "    /** Instead of callbacks: on worker threads, where they may wait; see "
               "weir/rpc/blocking.h. */\n    struct {\n");
    for (size_t i = 0; i < sv->method_count; i++) {
        const method *m = &sv->methods[i];
        print_template(out, blocking_members[m->client_streams + 2 * m->server_streams], m->vars);
    }
    print_template(out, "    } $blocking$;\n", sv->methods[0].vars);
}

static void print_methods(generator *g, printer *out, const service *sv)
{
    names_declare(&g->names, format(g->schema->mem, "%s_methods", sv->symbol));
    print_comment(g->schema, out, g->file, sv->at, 0,
                  "A server's callbacks; a method without any is answered UNIMPLEMENTED.");
    print(out, "typedef struct %s_methods {\n", sv->symbol);
    for (size_t i = 0; i < sv->method_count; i++) {
        const method *m = &sv->methods[i];
        print_comment(g->schema, out, g->file, m->at, 4, NULL);
        print_template(out,
                       m->client_streams   ? client_stream_member
                       : m->server_streams ? server_stream_member
                                           : unary_member,
                       m->vars);
    }
    if (sv->method_count)
        print_blocking_members(out, sv);
    print(out, "%s} %s_methods;\n\n", sv->method_count ? "" : "    char unused;\n", sv->symbol);
}

static void print_answers(generator *g, printer *out, const service *sv, const method *m)
{
    print_template(out, m->server_streams ? send : reply, m->vars);
    declare(g, sv, m, m->server_streams ? "_send" : "_reply");
    declare(g, sv, m, m->server_streams ? "_send_post" : "_reply_post");
    if (m->client_streams)
        print_template(out, blocking_read, m->vars);
    if (m->server_streams)
        print_template(out, blocking_write, m->vars);
    if (m->client_streams || m->server_streams)
        print(out, "\n");
    declare(g, sv, m, "_blocking_read");
    declare(g, sv, m, "_blocking_write");
}

static void print_unary_stub(generator *g, printer *out, const service *sv, const method *m)
{
    print_template(out, unary_stub, m->vars);
    declare(g, sv, m, "");
    declare(g, sv, m, "_fn");
    declare(g, sv, m, "_async");
}

static void print_stream_stub(generator *g, printer *out, const service *sv, const method *m)
{
    const char *request = m->client_streams ? "" : "const $request$ *request, ";
    print_template(out, events_begin, m->vars);
    if (m->client_streams)
        print_template(out, events_writable, m->vars);
    print_template(out, events_end, m->vars);
    print_template(out, start_begin, m->vars);
    print_template(out, request, m->vars);
    print_template(out, start_end, m->vars);
    print_template(out, open_begin, m->vars);
    print_template(out, request, m->vars);
    print_template(out, open_end, m->vars);
    if (m->client_streams)
        print_template(out, writes, m->vars);
    print(out, "\n");
    static const char *const suffixes[] = {
        "_events", "_start",      "_stream_open",  "_stream_read",        "_stream_read_until",
        "_write",  "_write_post", "_stream_write", "_stream_write_until", "_stream_try_write"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        declare(g, sv, m, suffixes[i]);
}

static void print_queue_stub(generator *g, printer *out, const service *sv, const method *m)
{
    print_template(out, queue_begin, m->vars);
    print_template(out, m->client_streams ? "" : "const $request$ *request, ", m->vars);
    print_template(out, queue_end, m->vars);
    declare(g, sv, m, "_queue");
}

void generate_service_declarations(generator *g, printer *out)
{
    const service *services = services_of(g);
    for (size_t i = 0; i < g->file->proto->service.len; i++) {
        const service *sv = &services[i];
        print(out, "extern %sconst weir_service %s_service;\n\n", g->schema->opts->exported,
              sv->symbol);
        names_declare(&g->names, format(g->schema->mem, "%s_service", sv->symbol));
        names_declare(&g->names, format(g->schema->mem, "%s_serve", sv->symbol));
        names_declare(&g->names, format(g->schema->mem, "%s_serve_queue", sv->symbol));
        print_methods(g, out, sv);
        print_template(out, serve, sv->vars);
        for (size_t j = 0; j < sv->method_count; j++) {
            const method *m = &sv->methods[j];
            print_answers(g, out, sv, m);
            if (m->client_streams || m->server_streams)
                print_stream_stub(g, out, sv, m);
            else
                print_unary_stub(g, out, sv, m);
            print_queue_stub(g, out, sv, m);
        }
    }
}
