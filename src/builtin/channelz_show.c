#include "channelz_show.h"

void *weir__show_new(weir__show *s, size_t size)
{
    void *made = weir_arena_zalloc(s->mem, size);
    s->failed = s->failed || !made;
    return made;
}

google_protobuf_timestamp *weir__show_time(weir__show *s, weir_wall at)
{
    google_protobuf_timestamp *out = at.us > 0 ? weir__show_new(s, sizeof *out) : NULL;
    if (out)
        *out = (google_protobuf_timestamp){.seconds = at.us / 1000000,
                                           .nanos = (int32_t)(at.us % 1000000 * 1000)};
    return out;
}

static void show_event(weir__show *s, const weir_inspect_event *from,
                       weir__channelz_channel_trace_event *out)
{
    out->description = from->text;
    out->severity = (weir__channelz_channel_trace_event_severity)from->severity;
    out->timestamp = weir__show_time(s, from->at);
    weir__channelz_subchannel_ref *ref = from->subchannel ? weir__show_new(s, sizeof *ref) : NULL;
    if (!ref)
        return;
    ref->subchannel_id = (int64_t)from->subchannel;
    out->child_ref_case = WEIR__CHANNELZ_CHANNEL_TRACE_EVENT_CHILD_REF_SUBCHANNEL_REF;
    out->child_ref.subchannel_ref = ref;
}

static weir__channelz_channel_trace *show_trace(weir__show *s, const weir_inspect_entity *from)
{
    weir__channelz_channel_trace *out = weir__show_new(s, sizeof *out);
    weir__channelz_channel_trace_event *events =
        weir__show_new(s, from->event_count * sizeof *events);
    if (!out || !events)
        return NULL;
    for (size_t i = 0; i < from->event_count; i++)
        show_event(s, &from->events[i], &events[i]);
    out->num_events_logged = (int64_t)from->events_logged;
    out->creation_timestamp = weir__show_time(s, from->created);
    out->events.items = events;
    out->events.len = from->event_count;
    return out;
}

/** weir_connectivity has no UNKNOWN in front. */
static weir__channelz_channel_connectivity_state *show_state(weir__show *s, weir_connectivity from)
{
    weir__channelz_channel_connectivity_state *out = weir__show_new(s, sizeof *out);
    if (out)
        out->state = (weir__channelz_channel_connectivity_state_state)((int)from + 1);
    return out;
}

static weir__channelz_channel_data *show_data(weir__show *s, const weir_inspect_entity *from)
{
    weir__channelz_channel_data *out = weir__show_new(s, sizeof *out);
    if (!out)
        return NULL;
    out->state = show_state(s, from->state);
    out->target = from->name;
    out->trace = show_trace(s, from);
    out->calls_started = (int64_t)from->calls.started;
    out->calls_succeeded = (int64_t)from->calls.succeeded;
    out->calls_failed = (int64_t)from->calls.failed;
    out->last_call_started_timestamp = weir__show_time(s, from->calls.last);
    return out;
}

static weir__channelz_subchannel_ref *subchannel_ref(weir__show *s, uint64_t id, weir_str name)
{
    weir__channelz_subchannel_ref *out = weir__show_new(s, sizeof *out);
    if (out) {
        out->subchannel_id = (int64_t)id;
        out->name = name;
    }
    return out;
}

static weir__channelz_socket_ref *socket_ref(weir__show *s, uint64_t id, weir_str name)
{
    weir__channelz_socket_ref *out = weir__show_new(s, sizeof *out);
    if (out) {
        out->socket_id = (int64_t)id;
        out->name = name;
    }
    return out;
}

void weir__show_channel(weir__show *s, const weir_inspect_entity *from, weir__channelz_channel *out)
{
    weir__channelz_channel_ref *ref = weir__show_new(s, sizeof *ref);
    if (!ref)
        return;
    ref->channel_id = (int64_t)from->id;
    ref->name = from->name;
    out->ref = ref;
    out->data = show_data(s, from);
    weir__channelz_subchannel_ref *refs =
        from->child_count > 0 ? weir__show_new(s, from->child_count * sizeof *refs) : NULL;
    for (size_t i = 0; refs && i < from->child_count; i++)
        refs[i].subchannel_id = (int64_t)from->children[i];
    out->subchannel_ref.items = refs;
    out->subchannel_ref.len = refs ? from->child_count : 0;
}

void weir__show_subchannel(weir__show *s, const weir_inspect_entity *from,
                           weir__channelz_subchannel *out)
{
    out->ref = subchannel_ref(s, from->id, from->name);
    out->data = show_data(s, from);
}

void weir__show_server(weir__show *s, const weir_inspect_entity *from, weir__channelz_server *out)
{
    weir__channelz_server_ref *ref = weir__show_new(s, sizeof *ref);
    weir__channelz_server_data *data = weir__show_new(s, sizeof *data);
    if (!ref || !data)
        return;
    ref->server_id = (int64_t)from->id;
    ref->name = from->name;
    data->trace = show_trace(s, from);
    data->calls_started = (int64_t)from->calls.started;
    data->calls_succeeded = (int64_t)from->calls.succeeded;
    data->calls_failed = (int64_t)from->calls.failed;
    data->last_call_started_timestamp = weir__show_time(s, from->calls.last);
    out->ref = ref;
    out->data = data;
    out->listen_socket.items = socket_ref(s, from->child, from->name);
    out->listen_socket.len = out->listen_socket.items ? 1 : 0;
}

weir__channelz_socket_ref *weir__show_refs(weir__show *s, const weir_inspect_ref *refs,
                                           size_t count)
{
    weir__channelz_socket_ref *out = weir__show_new(s, count * sizeof *out);
    for (size_t i = 0; out && i < count; i++) {
        out[i].socket_id = (int64_t)refs[i].id;
        out[i].name = weir_str_from(refs[i].name);
    }
    return out;
}
