/* What stands behind a service's declarations: tables, and functions between the rpc layer's
 * untyped calls and the program's typed ones. */
#include "service.h"

/* From the rpc layer to a server's callbacks. */

static const char present_unary[] = "static bool $service$_$method$_present(const void *methods)\n"
                                    "{\n"
                                    "    const $service$_methods *m = methods;\n"
                                    "    return m->$member$ != NULL;\n"
                                    "}\n";

static const char present_server_stream[] =
    "static bool $service$_$method$_present(const void *methods)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    return m->$member$.open || m->$member$.writable || m->$member$.closed;\n"
    "}\n";

static const char present_client_stream[] =
    "static bool $service$_$method$_present(const void *methods)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    return m->$member$.open || m->$member$.message || m->$member$.half_closed ||\n"
    "           m->$member$.writable || m->$member$.closed;\n"
    "}\n";

static const char open_unary[] =
    "static void $service$_$method$_open(\n"
    "    weir_call *call, const void *request, const void *methods, void *user)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    m->$member$(call, request, user);\n"
    "}\n"
    "static void $service$_$method$_writable(weir_call *call, const void *methods, void *user)\n"
    "{\n"
    "    (void)call, (void)methods, (void)user;\n"
    "}\n"
    "static void $service$_$method$_closed(\n"
    "    weir_call *call, const weir_status *why, const void *methods, void *user)\n"
    "{\n"
    "    (void)call, (void)why, (void)methods, (void)user;\n"
    "}\n";

static const char open_server_stream[] =
    "static void $service$_$method$_open(\n"
    "    weir_call *call, const void *request, const void *methods, void *user)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    if (m->$member$.open)\n"
    "        m->$member$.open(call, request, user);\n"
    "}\n";

static const char open_client_stream[] =
    "static void $service$_$method$_open(\n"
    "    weir_call *call, const void *request, const void *methods, void *user)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    (void)request;\n"
    "    if (m->$member$.open)\n"
    "        m->$member$.open(call, user);\n"
    "}\n"
    "static void $service$_$method$_message(\n"
    "    weir_call *call, const void *message, const void *methods, void *user)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    if (m->$member$.message)\n"
    "        m->$member$.message(call, message, user);\n"
    "}\n"
    "static void $service$_$method$_half_closed(weir_call *call, const void *methods, void *user)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    if (m->$member$.half_closed)\n"
    "        m->$member$.half_closed(call, user);\n"
    "}\n";

static const char stream_end[] =
    "static void $service$_$method$_writable(weir_call *call, const void *methods, void *user)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    if (m->$member$.writable)\n"
    "        m->$member$.writable(call, user);\n"
    "}\n"
    "static void $service$_$method$_closed(\n"
    "    weir_call *call, const weir_status *why, const void *methods, void *user)\n"
    "{\n"
    "    const $service$_methods *m = methods;\n"
    "    if (m->$member$.closed)\n"
    "        m->$member$.closed(call, why, user);\n"
    "}\n";

/* Handlers that block, in the order of m->client_streams + 2 * m->server_streams. */

static const char blocks[] = "static bool $service$_$method$_blocks(const void *methods)\n"
                             "{\n"
                             "    const $service$_methods *m = methods;\n"
                             "    return m->$blocking$.$member$ != NULL;\n"
                             "}\n"
                             "static weir_status $service$_$method$_run(\n"
                             "    weir_blocking_call *call, const void *request, void *reply,\n"
                             "    const void *methods, void *user)\n"
                             "{\n"
                             "    const $service$_methods *m = methods;\n";

static const char *const run[] = {
    "    return m->$blocking$.$member$(call, request, reply, user);\n"
    "}\n",
    "    (void)request;\n"
    "    return m->$blocking$.$member$(call, reply, user);\n"
    "}\n",
    "    (void)reply;\n"
    "    return m->$blocking$.$member$(call, request, user);\n"
    "}\n",
    "    (void)request, (void)reply;\n"
    "    return m->$blocking$.$member$(call, user);\n"
    "}\n",
};

static const char blocking_read[] =
    "weir_err $service$_$method$_blocking_read(\n"
    "    weir_blocking_call *call, weir_arena *mem, $request$ **message)\n"
    "{\n"
    "    void *next = NULL;\n"
    "    weir_err err = weir_blocking_read(call, mem, &next);\n"
    "    if (!err)\n"
    "        *message = next;\n"
    "    return err;\n"
    "}\n";

static const char blocking_write[] =
    "weir_err $service$_$method$_blocking_write(weir_blocking_call *call, const $reply$ *message)\n"
    "{\n"
    "    return weir_blocking_write(call, message);\n"
    "}\n";

/* A server's answers. */

static const char reply[] =
    "weir_err $service$_$method$_reply(weir_call *call, const $reply$ *reply)\n"
    "{\n"
    "    return weir_call_reply(call, reply);\n"
    "}\n"
    "weir_err $service$_$method$_reply_post(weir_call_id id, const $reply$ *reply)\n"
    "{\n"
    "    return weir_call_reply_post(id, &$reply$_descriptor, reply);\n"
    "}\n";

static const char send[] =
    "weir_err $service$_$method$_send(weir_call *call, const $reply$ *message)\n"
    "{\n"
    "    return weir_call_send(call, message);\n"
    "}\n"
    "weir_err $service$_$method$_send_post(weir_call_id id, const $reply$ *message)\n"
    "{\n"
    "    return weir_call_send_post(id, &$reply$_descriptor, message);\n"
    "}\n";

/* A client's stubs. */

static const char unary_stub[] =
    "weir_status $service$_$method$(\n"
    "    weir_channel *channel, weir_arena *mem, const $request$ *request, $reply$ **reply,\n"
    "    const weir_call_opts *opts)\n"
    "{\n"
    "    void *message = NULL;\n"
    "    weir_status status = weir_unary_call(\n"
    "        channel, &$service$_method_table[$index$], mem, request, &message, opts);\n"
    "    if (status.code == WEIR_STATUS_OK)\n"
    "        *reply = message;\n"
    "    return status;\n"
    "}\n"
    "static void $service$_$method$_done(\n"
    "    weir_fn done, const weir_status *status, const void *reply, void *user)\n"
    "{\n"
    "    (($service$_$method$_fn)done)(status, reply, user);\n"
    "}\n"
    "weir_err $service$_$method$_async(\n"
    "    weir_channel *channel, const $request$ *request, $service$_$method$_fn done, void *user,\n"
    "    const weir_call_opts *opts)\n"
    "{\n"
    "    return weir_unary_start(channel, &$service$_method_table[$index$], request,\n"
    "        $service$_$method$_done, (weir_fn)done, user, opts);\n"
    "}\n";

static const char events[] =
    "static void $service$_$method$_on_headers(weir_call *call, const void *events, void *user)\n"
    "{\n"
    "    const $service$_$method$_events *e = events;\n"
    "    if (e->headers)\n"
    "        e->headers(call, user);\n"
    "}\n"
    "static void $service$_$method$_on_message(\n"
    "    weir_call *call, const void *message, const void *events, void *user)\n"
    "{\n"
    "    const $service$_$method$_events *e = events;\n"
    "    if (e->message)\n"
    "        e->message(call, message, user);\n"
    "}\n"
    "static void $service$_$method$_on_closed(\n"
    "    weir_call *call, const weir_status *status, const void *events, void *user)\n"
    "{\n"
    "    const $service$_$method$_events *e = events;\n"
    "    if (e->closed)\n"
    "        e->closed(call, status, user);\n"
    "}\n"
    "static void $service$_$method$_on_writable(weir_call *call, const void *events, void *user)\n"
    "{\n";

static const char writable_used[] = "    const $service$_$method$_events *e = events;\n"
                                    "    if (e->writable)\n"
                                    "        e->writable(call, user);\n"
                                    "}\n";

static const char writable_unused[] = "    (void)call, (void)events, (void)user;\n"
                                      "}\n";

static const char client_handler[] =
    "static const weir_client_handler $service$_$method$_client = {\n"
    "    .headers = $service$_$method$_on_headers,\n"
    "    .message = $service$_$method$_on_message,\n"
    "    .writable = $service$_$method$_on_writable,\n"
    "    .closed = $service$_$method$_on_closed,\n"
    "};\n";

static const char start_begin[] = "weir_err $service$_$method$_start(\n"
                                  "    weir_channel *channel, ";

static const char start_middle[] =
    "const $service$_$method$_events *events, void *user,\n"
    "    const weir_call_opts *opts, weir_call_id *id)\n"
    "{\n"
    "    return weir_call_start(channel, &$service$_method_table[$index$], ";

static const char start_end[] = ",\n"
                                "        &$service$_$method$_client, events, user, opts, id);\n"
                                "}\n"
                                "weir_err $service$_$method$_stream_open(\n"
                                "    weir_stream **out, weir_channel *channel, ";

static const char open_middle[] =
    "const weir_call_opts *opts)\n"
    "{\n"
    "    return weir_stream_open(out, channel, &$service$_method_table[$index$], ";

static const char open_end[] =
    ", opts);\n"
    "}\n"
    "weir_err $service$_$method$_stream_read(\n"
    "    weir_stream *stream, weir_arena *mem, $reply$ **message)\n"
    "{\n"
    "    void *next = NULL;\n"
    "    weir_err err = weir_stream_read(stream, mem, &next);\n"
    "    if (!err)\n"
    "        *message = next;\n"
    "    return err;\n"
    "}\n"
    "weir_err $service$_$method$_stream_read_until(\n"
    "    weir_stream *stream, weir_arena *mem, weir_time deadline,\n"
    "    $reply$ **message)\n"
    "{\n"
    "    void *next = NULL;\n"
    "    weir_err err = weir_stream_read_until(stream, mem, deadline, &next);\n"
    "    if (!err)\n"
    "        *message = next;\n"
    "    return err;\n"
    "}\n";

static const char writes[] =
    "weir_err $service$_$method$_write(weir_call *call, const $request$ *message)\n"
    "{\n"
    "    return weir_call_send(call, message);\n"
    "}\n"
    "weir_err $service$_$method$_write_post(weir_call_id id, const $request$ *message)\n"
    "{\n"
    "    return weir_call_send_post(id, &$request$_descriptor, message);\n"
    "}\n"
    "weir_err $service$_$method$_stream_write(weir_stream *stream, const $request$ *message)\n"
    "{\n"
    "    return weir_stream_write(stream, message);\n"
    "}\n"
    "weir_err $service$_$method$_stream_write_until(\n"
    "    weir_stream *stream, const $request$ *message, weir_time deadline)\n"
    "{\n"
    "    return weir_stream_write_until(stream, message, deadline);\n"
    "}\n"
    "weir_err $service$_$method$_stream_try_write(\n"
    "    weir_stream *stream, const $request$ *message)\n"
    "{\n"
    "    return weir_stream_try_write(stream, message);\n"
    "}\n";

/* Tables. */

static const char table_row[] = "    {\n"
                                "        .name = \"$name$\",\n"
                                "        .path = \"/$full$/$name$\",\n"
                                "        .kind = WEIR_METHOD_$kind$,\n"
                                "        .request = &$request$_descriptor,\n"
                                "        .reply = &$reply$_descriptor,\n"
                                "    },\n";

static const char handler_row[] = "    {\n"
                                  "        .present = $service$_$method$_present,\n"
                                  "        .open = $service$_$method$_open,\n"
                                  "        .writable = $service$_$method$_writable,\n"
                                  "        .closed = $service$_$method$_closed,\n"
                                  "        .blocks = $service$_$method$_blocks,\n"
                                  "        .run = $service$_$method$_run,\n";

static const char handler_row_messages[] =
    "        .message = $service$_$method$_message,\n"
    "        .half_closed = $service$_$method$_half_closed,\n";

static const char serve[] =
    "weir_err $service$_serve(weir_server *server, const $service$_methods *methods, void *user)\n"
    "{\n"
    "    return weir_server_add(server, &$service$_service, $service$_handlers, methods, user);\n"
    "}\n";

static const char serve_queue[] =
    "weir_err $service$_serve_queue(weir_server *server, weir_queue *queue, void *tag)\n"
    "{\n"
    "    return weir_queue_serve(queue, server, &$service$_service, tag);\n"
    "}\n";

static const char queue_begin[] = "weir_err $service$_$method$_queue(\n"
                                  "    weir_queue *queue, weir_channel *channel, ";

static const char queue_middle[] =
    "void *tag,\n"
    "    const weir_call_opts *opts, weir_call_id *id)\n"
    "{\n"
    "    return weir_queue_start(queue, channel, &$service$_method_table[$index$], ";

static const char serve_nothing[] =
    "weir_err $service$_serve(weir_server *server, const $service$_methods *methods, void *user)\n"
    "{\n"
    "    return weir_server_add(server, &$service$_service, NULL, methods, user);\n"
    "}\n";

static void print_service_table(printer *out, const service *sv)
{
    if (sv->method_count) {
        print(out, "\nstatic const weir_method %s_method_table[] = {\n", sv->symbol);
        for (size_t i = 0; i < sv->method_count; i++)
            print_template(out, table_row, sv->methods[i].vars);
        print(out, "};");
    }
    print_template(out,
                   "\nconst weir_service $service$_service = {\n"
                   "    .name = \"$full$\",\n"
                   "    .file = &$file$,\n",
                   sv->vars);
    if (sv->method_count)
        print(out, "    .methods = %s_method_table,\n    .method_count = %zu,\n", sv->symbol,
              sv->method_count);
    print(out, "};\n\n");
}

static void print_server_side(printer *out, const method *m)
{
    if (m->client_streams) {
        print_template(out, present_client_stream, m->vars);
        print_template(out, open_client_stream, m->vars);
        print_template(out, stream_end, m->vars);
    } else if (m->server_streams) {
        print_template(out, present_server_stream, m->vars);
        print_template(out, open_server_stream, m->vars);
        print_template(out, stream_end, m->vars);
    } else {
        print_template(out, present_unary, m->vars);
        print_template(out, open_unary, m->vars);
    }
    print_template(out, m->server_streams ? send : reply, m->vars);
    print_template(out, blocks, m->vars);
    print_template(out, run[m->client_streams + 2 * m->server_streams], m->vars);
    if (m->client_streams)
        print_template(out, blocking_read, m->vars);
    if (m->server_streams)
        print_template(out, blocking_write, m->vars);
}

static void print_stream_stub(printer *out, const method *m)
{
    const char *parameter = m->client_streams ? "" : "const $request$ *request, ";
    const char *argument = m->client_streams ? "NULL" : "request";
    print_template(out, events, m->vars);
    print_template(out, m->client_streams ? writable_used : writable_unused, m->vars);
    print_template(out, client_handler, m->vars);
    print_template(out, start_begin, m->vars);
    print_template(out, parameter, m->vars);
    print_template(out, start_middle, m->vars);
    print(out, "%s", argument);
    print_template(out, start_end, m->vars);
    print_template(out, parameter, m->vars);
    print_template(out, open_middle, m->vars);
    print(out, "%s", argument);
    print_template(out, open_end, m->vars);
    if (m->client_streams)
        print_template(out, writes, m->vars);
}

static void print_queue_stub(printer *out, const method *m)
{
    print_template(out, queue_begin, m->vars);
    print_template(out, m->client_streams ? "" : "const $request$ *request, ", m->vars);
    print_template(out, queue_middle, m->vars);
    print(out, "%s,\n        tag, opts, id);\n}\n", m->client_streams ? "NULL" : "request");
}

static void print_handlers(printer *out, const service *sv)
{
    print(out, "\nstatic const weir_handler %s_handlers[] = {\n", sv->symbol);
    for (size_t i = 0; i < sv->method_count; i++) {
        const method *m = &sv->methods[i];
        print_template(out, handler_row, m->vars);
        if (m->client_streams)
            print_template(out, handler_row_messages, m->vars);
        print(out, "    },\n");
    }
    print(out, "};\n");
}

static void print_service(printer *out, const service *sv)
{
    print_service_table(out, sv);
    for (size_t i = 0; i < sv->method_count; i++) {
        const method *m = &sv->methods[i];
        print_server_side(out, m);
        if (m->client_streams || m->server_streams)
            print_stream_stub(out, m);
        else
            print_template(out, unary_stub, m->vars);
        print_queue_stub(out, m);
    }
    if (sv->method_count)
        print_handlers(out, sv);
    print_template(out, sv->method_count ? serve : serve_nothing, sv->vars);
    print_template(out, serve_queue, sv->vars);
}

void generate_service_definitions(generator *g, printer *out)
{
    const service *services = services_of(g);
    for (size_t i = 0; i < g->file->proto->service.len; i++)
        print_service(out, &services[i]);
}
