#include <weir/builtin/channelz.h>

#include <stdlib.h>

#include "channelz_show.h"

static void fail_with(weir_call *call, weir_err err)
{
    weir_call_fail(call, (weir_status_code)weir_err_status(err), "%s", weir_err_text(err));
}

static void fail_post(weir_call_id call, weir_err err)
{
    weir_call_finish_post(call, &(weir_status){(weir_status_code)weir_err_status(err),
                                               weir_str_from(weir_err_text(err)),
                                               {0}});
}

static void not_found(weir_call *call, const char *what, int64_t id)
{
    weir_call_fail(call, WEIR_STATUS_NOT_FOUND, "there is no %s %lld now", what, (long long)id);
}

/** Numbers of a request. @return false: the call has been answered */
static bool is_page(weir_call *call, int64_t start, int64_t max_results)
{
    if (start >= 0 && max_results >= 0)
        return true;
    weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "ids and max_results are not negative");
    return false;
}

static size_t page_size(int64_t max_results)
{
    return max_results < WEIR_INSPECT_PAGE ? (size_t)max_results : WEIR_INSPECT_PAGE;
}

/** Finds the entity, or answers the call. */
static bool find(weir_call *call, weir_inspect_kind kind, const char *what, int64_t id,
                 weir_inspect_entity *out)
{
    weir_err err = weir_inspect_find(kind, (uint64_t)id, weir_call_arena(call), out);
    if (err == WEIR_ENOENT)
        not_found(call, what, id);
    else if (err)
        fail_with(call, err);
    return !err;
}

/** What is left to do with a message that was made: `err` of its reply. */
static void conclude(weir_call *call, const weir__show *s, weir_err err)
{
    if (s->failed)
        fail_with(call, WEIR_ENOMEM);
    else if (err)
        fail_with(call, err);
}

/* What is answered at once. */

static void get_top_channels(weir_call *call, const weir__channelz_get_top_channels_request *asked,
                             void *user WEIR_UNUSED)
{
    weir__show s = {.mem = weir_call_arena(call)};
    weir_inspect_entities found = {0};
    if (!is_page(call, asked->start_channel_id, asked->max_results))
        return;
    weir_err err = weir_inspect_list(WEIR_INSPECT_CHANNEL, (uint64_t)asked->start_channel_id,
                                     page_size(asked->max_results), s.mem, &found);
    weir__channelz_channel *items = weir__show_new(&s, found.len * sizeof *items);
    for (size_t i = 0; items && i < found.len; i++)
        weir__show_channel(&s, &found.items[i], &items[i]);
    weir__channelz_get_top_channels_response answer = {.channel = {items, found.len},
                                                       .end = found.end};
    if (!err && !s.failed)
        err = weir__channelz_channelz_get_top_channels_reply(call, &answer);
    conclude(call, &s, err);
}

static void get_servers(weir_call *call, const weir__channelz_get_servers_request *asked,
                        void *user WEIR_UNUSED)
{
    weir__show s = {.mem = weir_call_arena(call)};
    weir_inspect_entities found = {0};
    if (!is_page(call, asked->start_server_id, asked->max_results))
        return;
    weir_err err = weir_inspect_list(WEIR_INSPECT_SERVER, (uint64_t)asked->start_server_id,
                                     page_size(asked->max_results), s.mem, &found);
    weir__channelz_server *items = weir__show_new(&s, found.len * sizeof *items);
    for (size_t i = 0; items && i < found.len; i++)
        weir__show_server(&s, &found.items[i], &items[i]);
    weir__channelz_get_servers_response answer = {.server = {items, found.len}, .end = found.end};
    if (!err && !s.failed)
        err = weir__channelz_channelz_get_servers_reply(call, &answer);
    conclude(call, &s, err);
}

static void get_server(weir_call *call, const weir__channelz_get_server_request *asked,
                       void *user WEIR_UNUSED)
{
    weir__show s = {.mem = weir_call_arena(call)};
    weir__channelz_server server = {0};
    weir_inspect_entity found;
    if (!find(call, WEIR_INSPECT_SERVER, "server", asked->server_id, &found))
        return;
    weir__show_server(&s, &found, &server);
    weir__channelz_get_server_response answer = {.server = &server};
    conclude(call, &s,
             s.failed ? WEIR_OK : weir__channelz_channelz_get_server_reply(call, &answer));
}

static void get_channel(weir_call *call, const weir__channelz_get_channel_request *asked,
                        void *user WEIR_UNUSED)
{
    weir__show s = {.mem = weir_call_arena(call)};
    weir__channelz_channel channel = {0};
    weir_inspect_entity found;
    if (!find(call, WEIR_INSPECT_CHANNEL, "channel", asked->channel_id, &found))
        return;
    weir__show_channel(&s, &found, &channel);
    weir__channelz_get_channel_response answer = {.channel = &channel};
    conclude(call, &s,
             s.failed ? WEIR_OK : weir__channelz_channelz_get_channel_reply(call, &answer));
}

static void tell_listener(weir_call *call, const weir_inspect_entity *found)
{
    weir__show s = {.mem = weir_call_arena(call)};
    weir__channelz_socket socket = {0};
    weir__show_listener(&s, found, &socket);
    weir__channelz_get_socket_response answer = {.socket = &socket};
    conclude(call, &s,
             s.failed ? WEIR_OK : weir__channelz_channelz_get_socket_reply(call, &answer));
}

/* What loops are asked for: the answer comes in another thread, to a call that may be gone. */

typedef struct waiting {
    weir_call_id call;
    int64_t id;
    bool summary;
} waiting;

static waiting *wait_for(weir_call *call, int64_t id)
{
    waiting *w = calloc(1, sizeof *w);
    if (w)
        *w = (waiting){.call = weir_call_id_of(call), .id = id};
    return w;
}

/** The question could not be asked. */
static void give_up(weir_call *call, waiting *w, const char *what, int64_t id, weir_err err)
{
    if (err == WEIR_ENOENT)
        not_found(call, what, id);
    else
        fail_with(call, err);
    free(w);
}

static void on_server_sockets(weir_err err, const weir_inspect_ref *refs, size_t count, bool end,
                              void *user)
{
    waiting *w = user;
    weir__show s = {.mem = weir_arena_new()};
    weir__channelz_get_server_sockets_response answer = {.end = end};
    if (!err && s.mem)
        answer.socket_ref.items = weir__show_refs(&s, refs, count);
    answer.socket_ref.len = count;
    if (!err && (!s.mem || s.failed))
        err = WEIR_ENOMEM;
    if (!err)
        err = weir__channelz_channelz_get_server_sockets_reply_post(w->call, &answer);
    if (err)
        fail_post(w->call, err);
    weir_arena_free(s.mem);
    free(w);
}

static void get_server_sockets(weir_call *call,
                               const weir__channelz_get_server_sockets_request *asked,
                               void *user WEIR_UNUSED)
{
    weir_inspect_entity server;
    if (!is_page(call, asked->start_socket_id, asked->max_results) ||
        !find(call, WEIR_INSPECT_SERVER, "server", asked->server_id, &server))
        return;
    waiting *w = wait_for(call, asked->server_id);
    weir_err err =
        w ? weir_inspect_sockets_post(server.id, (uint64_t)asked->start_socket_id,
                                      page_size(asked->max_results), on_server_sockets, w)
          : WEIR_ENOMEM;
    if (err)
        give_up(call, w, "server", asked->server_id, err);
}

static void tell_subchannel(const waiting *w, weir__show *s, const weir_inspect_ref *refs,
                            size_t count)
{
    weir_inspect_entity found;
    weir__channelz_subchannel subchannel = {0};
    weir_err err = weir_inspect_find(WEIR_INSPECT_SUBCHANNEL, (uint64_t)w->id, s->mem, &found);
    if (!err) {
        weir__show_subchannel(s, &found, &subchannel);
        subchannel.socket_ref.items = weir__show_refs(s, refs, count);
        subchannel.socket_ref.len = count;
        err = s->failed ? WEIR_ENOMEM : WEIR_OK;
    }
    weir__channelz_get_subchannel_response answer = {.subchannel = &subchannel};
    if (!err)
        err = weir__channelz_channelz_get_subchannel_reply_post(w->call, &answer);
    if (err)
        fail_post(w->call, err);
}

static void on_subchannel_sockets(weir_err err, const weir_inspect_ref *refs, size_t count,
                                  bool end WEIR_UNUSED, void *user)
{
    waiting *w = user;
    weir__show s = {.mem = err ? NULL : weir_arena_new()};
    if (s.mem)
        tell_subchannel(w, &s, refs, count);
    else
        fail_post(w->call, WEIR_ENOMEM);
    weir_arena_free(s.mem);
    free(w);
}

static void get_subchannel(weir_call *call, const weir__channelz_get_subchannel_request *asked,
                           void *user WEIR_UNUSED)
{
    weir_inspect_entity found;
    if (!find(call, WEIR_INSPECT_SUBCHANNEL, "subchannel", asked->subchannel_id, &found))
        return;
    waiting *w = wait_for(call, asked->subchannel_id);
    weir_err err =
        w ? weir_inspect_sockets_post(found.id, 0, 0, on_subchannel_sockets, w) : WEIR_ENOMEM;
    if (err)
        give_up(call, w, "subchannel", asked->subchannel_id, err);
}

static void on_socket(const weir_inspect_socket *found, void *user)
{
    waiting *w = user;
    weir__show s = {.mem = weir_arena_new()};
    weir__channelz_socket socket = {0};
    weir_err err = !found ? WEIR_ENOENT : s.mem ? WEIR_OK : WEIR_ENOMEM;
    if (!err) {
        weir__show_socket(&s, found, w->summary, &socket);
        err = s.failed ? WEIR_ENOMEM : WEIR_OK;
    }
    weir__channelz_get_socket_response answer = {.socket = &socket};
    if (!err)
        err = weir__channelz_channelz_get_socket_reply_post(w->call, &answer);
    if (err)
        fail_post(w->call, err);
    weir_arena_free(s.mem);
    free(w);
}

static void get_socket(weir_call *call, const weir__channelz_get_socket_request *asked,
                       void *user WEIR_UNUSED)
{
    weir_inspect_entity listener;
    if (weir_inspect_find(WEIR_INSPECT_LISTENER, (uint64_t)asked->socket_id, weir_call_arena(call),
                          &listener) == WEIR_OK) {
        tell_listener(call, &listener);
        return;
    }
    waiting *w = wait_for(call, asked->socket_id);
    if (w)
        w->summary = asked->summary;
    weir_err err =
        w ? weir_inspect_socket_post((uint64_t)asked->socket_id, on_socket, w) : WEIR_ENOMEM;
    if (err)
        give_up(call, w, "socket", asked->socket_id, err);
}

static const weir__channelz_channelz_methods methods = {
    .get_top_channels = get_top_channels,
    .get_servers = get_servers,
    .get_server = get_server,
    .get_server_sockets = get_server_sockets,
    .get_channel = get_channel,
    .get_subchannel = get_subchannel,
    .get_socket = get_socket,
};

weir_err weir_channelz_serve(weir_server *server)
{
    return weir__channelz_channelz_serve(server, &methods, NULL);
}
