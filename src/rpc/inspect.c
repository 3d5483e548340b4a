/* The list of a process's channels and servers, what is told of each, and their recent events. */
#include "inspect_impl.h"

#include <pthread.h>
#include <stdio.h>

#include "channel_impl.h"
#include "server_impl.h"

/* Everything here is under the lock: nothing of it happens per call. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_list entities = {&entities, &entities}; /* by ascending id */
static uint64_t last_id; /* below 2^52: connections' ids are above, see weir_slot_id() */

weir_wall weir__inspect_wall(weir_time t)
{
    if (t.us == 0)
        return (weir_wall){0};
    return (weir_wall){weir_wall_now().us - weir_time_diff(weir_time_now(), t)};
}

/* What owners tell. */

static void log_event(weir__entity *entity, weir_inspect_severity severity, uint64_t subchannel,
                      const char *fmt, va_list args)
{
    weir__event *event = &entity->events[entity->logged++ % WEIR__EVENTS];
    event->at = weir_wall_now();
    event->severity = severity;
    event->subchannel = subchannel;
    vsnprintf(event->text, sizeof event->text, fmt, args);
}

void weir__entity_init(weir__entity *entity, weir_inspect_kind kind)
{
    pthread_mutex_lock(&lock);
    entity->node = (weir_list){NULL, NULL};
    entity->kind = kind;
    entity->id = ++last_id;
    entity->created = weir_wall_now();
    entity->logged = 0;
    pthread_mutex_unlock(&lock);
}

void weir__entity_show(weir__entity *entity, const char *name)
{
    pthread_mutex_lock(&lock);
    snprintf(entity->name, sizeof entity->name, "%s", name);
    weir_list *before = entities.prev;
    while (before != &entities && WEIR_CONTAINER_OF(before, weir__entity, node)->id > entity->id)
        before = before->prev;
    weir_list_append(before->next, &entity->node);
    pthread_mutex_unlock(&lock);
}

void weir__entity_hide(weir__entity *entity)
{
    pthread_mutex_lock(&lock);
    weir_list_remove(&entity->node);
    pthread_mutex_unlock(&lock);
}

void weir__entity_log(weir__entity *entity, weir_inspect_severity severity, uint64_t subchannel,
                      const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    pthread_mutex_lock(&lock);
    log_event(entity, severity, subchannel, fmt, args);
    pthread_mutex_unlock(&lock);
    va_end(args);
}

/* What is told of them. */

static void add_calls(weir_inspect_calls *out, const weir__counters *counters)
{
    uint64_t ended = atomic_load_explicit(&counters->ended, memory_order_acquire);
    uint64_t failed = atomic_load_explicit(&counters->failed, memory_order_relaxed);
    out->failed += failed < ended ? failed : ended; /* it may have gone on meanwhile */
    out->succeeded += failed < ended ? ended - failed : 0;
    out->started += atomic_load_explicit(&counters->started, memory_order_relaxed);
    weir_time last = {atomic_load_explicit(&counters->last_us, memory_order_relaxed)};
    weir_wall at = weir__inspect_wall(last);
    if (at.us > out->last.us)
        out->last = at;
}

static void tell_channel(const weir_channel *channel, weir_inspect_entity *out)
{
    out->state = (weir_connectivity)atomic_load_explicit(&channel->state, memory_order_acquire);
    add_calls(&out->calls, &channel->calls);
}

static void tell_subchannel(const weir__sub *sub, weir_inspect_entity *out)
{
    out->state = (weir_connectivity)atomic_load_explicit(&sub->shown, memory_order_relaxed);
    add_calls(&out->calls, &sub->attempts);
}

static void tell_server(const weir_server *server, weir_inspect_entity *out)
{
    out->child = server->listener.id;
    for (unsigned i = 0; i < server->loops; i++)
        add_calls(&out->calls, &server->counters[i].calls);
}

static void tell_owner(weir__entity *entity, weir_inspect_entity *out)
{
    switch (entity->kind) {
    case WEIR_INSPECT_CHANNEL:
        tell_channel(WEIR_CONTAINER_OF(entity, weir_channel, entity), out);
        break;
    case WEIR_INSPECT_SUBCHANNEL:
        tell_subchannel(WEIR_CONTAINER_OF(entity, weir__sub, entity), out);
        break;
    case WEIR_INSPECT_SERVER:
        tell_server(WEIR_CONTAINER_OF(entity, weir_server, entity), out);
        break;
    case WEIR_INSPECT_LISTENER:
        out->addr = WEIR_CONTAINER_OF(entity, weir_server, listener)->addr;
        break;
    }
}

/** Under the lock. */
static weir_err tell_children(weir__entity *entity, weir_arena *mem, weir_inspect_entity *out)
{
    if (entity->kind != WEIR_INSPECT_CHANNEL)
        return WEIR_OK;
    const weir_channel *channel = WEIR_CONTAINER_OF(entity, weir_channel, entity);
    uint64_t *ids = weir_arena_alloc(mem, WEIR_INSPECT_PAGE * sizeof *ids);
    if (!ids)
        return WEIR_ENOMEM;
    for (weir_list *node = entities.next; node != &entities && out->child_count < WEIR_INSPECT_PAGE;
         node = node->next) {
        weir__entity *other = WEIR_CONTAINER_OF(node, weir__entity, node);
        if (other->kind == WEIR_INSPECT_SUBCHANNEL &&
            WEIR_CONTAINER_OF(other, weir__sub, entity)->channel == channel)
            ids[out->child_count++] = other->id;
    }
    out->children = ids;
    out->child = out->child_count > 0 ? ids[0] : 0;
    return WEIR_OK;
}

static weir_err tell_events(const weir__entity *entity, weir_arena *mem, weir_inspect_entity *out)
{
    size_t count = entity->logged < WEIR__EVENTS ? entity->logged : WEIR__EVENTS;
    weir_inspect_event *events = weir_arena_alloc(mem, count * sizeof *events);
    if (!events)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const weir__event *from = &entity->events[(entity->logged - count + i) % WEIR__EVENTS];
        weir_str text = weir_arena_copy(mem, weir_str_from(from->text));
        if (!text.ptr)
            return WEIR_ENOMEM;
        events[i] = (weir_inspect_event){from->at, from->severity, text, from->subchannel};
    }
    out->events = events;
    out->event_count = count;
    out->events_logged = entity->logged;
    return WEIR_OK;
}

static weir_err tell(weir__entity *entity, weir_arena *mem, weir_inspect_entity *out)
{
    *out = (weir_inspect_entity){
        .kind = entity->kind,
        .id = entity->id,
        .created = entity->created,
        .name = weir_arena_copy(mem, weir_str_from(entity->name)),
    };
    tell_owner(entity, out);
    weir_err err = out->name.ptr ? tell_children(entity, mem, out) : WEIR_ENOMEM;
    return err ? err : tell_events(entity, mem, out);
}

/* Questions. */

/** Under the lock. @return the first of a kind with at least that id, after `from`; NULL: none */
static weir__entity *next_of(const weir_list *from, weir_inspect_kind kind, uint64_t first)
{
    for (weir_list *node = from->next; node != &entities; node = node->next) {
        weir__entity *entity = WEIR_CONTAINER_OF(node, weir__entity, node);
        if (entity->kind == kind && entity->id >= first)
            return entity;
    }
    return NULL;
}

static weir_err list(weir_inspect_kind kind, uint64_t first, size_t max, weir_arena *mem,
                     weir_inspect_entities *out)
{
    weir_inspect_entity *items = weir_arena_alloc(mem, max * sizeof *items);
    size_t len = 0;
    weir__entity *entity = next_of(&entities, kind, first);
    weir_err err = items ? WEIR_OK : WEIR_ENOMEM;
    for (; entity && len < max && !err; entity = next_of(&entity->node, kind, first))
        err = tell(entity, mem, &items[len++]);
    if (!err)
        *out = (weir_inspect_entities){items, len, entity == NULL};
    return err;
}

weir_err weir_inspect_list(weir_inspect_kind kind, uint64_t first, size_t max, weir_arena *mem,
                           weir_inspect_entities *out)
{
    if (max == 0 || max > WEIR_INSPECT_PAGE)
        max = WEIR_INSPECT_PAGE;
    pthread_mutex_lock(&lock);
    weir_err err = list(kind, first, max, mem, out);
    pthread_mutex_unlock(&lock);
    return err;
}

weir_err weir_inspect_find(weir_inspect_kind kind, uint64_t id, weir_arena *mem,
                           weir_inspect_entity *out)
{
    weir_inspect_entity found;
    pthread_mutex_lock(&lock);
    weir__entity *entity = next_of(&entities, kind, id);
    weir_err err = entity && entity->id == id ? tell(entity, mem, &found) : WEIR_ENOENT;
    pthread_mutex_unlock(&lock);
    if (!err)
        *out = found;
    return err;
}

size_t weir__inspect_loops(uint64_t owner, unsigned *out, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    weir__entity *sub = next_of(&entities, WEIR_INSPECT_SUBCHANNEL, owner);
    weir__entity *of_server = next_of(&entities, WEIR_INSPECT_SERVER, owner);
    if (sub && sub->id == owner && max > 0) {
        out[count++] = WEIR_CONTAINER_OF(sub, weir__sub, entity)->channel->loop_number;
    } else if (of_server && of_server->id == owner) {
        const weir_server *server = WEIR_CONTAINER_OF(of_server, weir_server, entity);
        for (; count < server->loops && count < max; count++)
            out[count] = server->counters[count].loop;
    }
    pthread_mutex_unlock(&lock);
    return count;
}
