/* Within the process: every "local" presence of the process sees the same users, also those of
 * other loops. One lock; what is under it is short. */
#include "presence_impl.h"
#include "table.h"

#include <pthread.h>
#include <stdlib.h>

/** A node's name, kept as long as anybody has the users: entries point to it. */
typedef struct node_name {
    struct node_name *next;
    char text[];
} node_name;

typedef struct entry {
    weir_list link; /* in its user's, in no order */
    const node_name *node;
    uint64_t device;
    presence_state state;
    weir_time expires;
} entry;

typedef struct user_entry {
    table_node node;
    weir_list link; /* in `by_age` */
    uint64_t id;    /* the key */
    int64_t seen_us;
    size_t count;
    weir_list entries;
} user_entry;

typedef struct presence_local {
    presence base;
    presence_answers answers;
    const node_name *node;
    int64_t ttl_us;
    size_t max_users;
    bool closed;
} presence_local;

/* Under the lock. */
static struct users {
    pthread_mutex_t lock;
    size_t opened; /* presences; the last one takes the users with it */
    node_name *names;
    table table;
    weir_list by_age; /* the one that was set longest ago comes first */
} users = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Users. */

static weir_str key_of(const uint64_t *id)
{
    return weir_str_of(id, sizeof *id);
}

static user_entry *find(uint64_t id)
{
    table_node *node = table_find(&users.table, key_of(&id));
    return node ? WEIR_CONTAINER_OF(node, user_entry, node) : NULL;
}

static void drop_entry(user_entry *u, entry *e)
{
    weir_list_remove(&e->link);
    u->count--;
    free(e);
}

static void forget(user_entry *u)
{
    weir_list_each (link, next, &u->entries)
        drop_entry(u, WEIR_CONTAINER_OF(link, entry, link));
    table_remove(&users.table, &u->node);
    weir_list_remove(&u->link);
    free(u);
}

static user_entry *add_user(uint64_t id, size_t max_users)
{
    user_entry *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    while (users.table.count >= max_users)
        forget(WEIR_CONTAINER_OF(users.by_age.next, user_entry, link));
    u->id = id;
    weir_list_init(&u->entries);
    table_add(&users.table, &u->node, key_of(&u->id));
    weir_list_append(&users.by_age, &u->link);
    return u;
}

/** Entries that have expired go, and say when the user was last seen. */
static void expire(user_entry *u)
{
    weir_time now = weir_time_now();
    weir_list_each (link, next, &u->entries) {
        entry *e = WEIR_CONTAINER_OF(link, entry, link);
        int64_t ago_us = weir_time_diff(now, e->expires);
        if (ago_us < 0)
            continue;
        int64_t seen_us = weir_wall_now().us - ago_us;
        if (seen_us > u->seen_us)
            u->seen_us = seen_us;
        drop_entry(u, e);
    }
}

static presence_state state_of(const user_entry *u)
{
    presence_state state = PRESENCE_OFFLINE;
    weir_list_each (link, next, &u->entries) {
        const entry *e = WEIR_CONTAINER_OF(link, entry, link);
        if (e->state > state)
            state = e->state;
    }
    return state;
}

static presence_info info_of(user_entry *u)
{
    expire(u);
    presence_info info = {.state = state_of(u)};
    if (info.state == PRESENCE_OFFLINE && weir_wall_now().us - u->seen_us < PRESENCE_KEEP_US)
        info.last_seen_us = u->seen_us;
    return info;
}

/* Entries. */

static entry *find_entry(const user_entry *u, const node_name *node, uint64_t device)
{
    weir_list_each (link, next, &u->entries) {
        entry *e = WEIR_CONTAINER_OF(link, entry, link);
        if (e->node == node && e->device == device)
            return e;
    }
    return NULL;
}

/** Room for one more: what expires first makes it. */
static void make_room(user_entry *u)
{
    while (u->count >= PRESENCE_MAX_DEVICES) {
        entry *first = WEIR_CONTAINER_OF(u->entries.next, entry, link);
        weir_list_each (link, next, &u->entries) {
            entry *e = WEIR_CONTAINER_OF(link, entry, link);
            if (weir_time_before(e->expires, first->expires))
                first = e;
        }
        drop_entry(u, first);
    }
}

static weir_err set_entry(user_entry *u, const presence_local *self, uint64_t device,
                          presence_state state)
{
    entry *e = find_entry(u, self->node, device);
    if (!e) {
        e = calloc(1, sizeof *e);
        if (!e)
            return WEIR_ENOMEM;
        make_room(u);
        e->node = self->node;
        e->device = device;
        weir_list_append(&u->entries, &e->link);
        u->count++;
    }
    e->state = state;
    e->expires = weir_time_add(weir_time_now(), self->ttl_us);
    weir_list_remove(&u->link);
    weir_list_append(&users.by_age, &u->link);
    return WEIR_OK;
}

static void remove_entry(user_entry *u, const presence_local *self, uint64_t device)
{
    entry *e = find_entry(u, self->node, device);
    if (!e)
        return;
    drop_entry(u, e);
    if (state_of(u) == PRESENCE_OFFLINE)
        u->seen_us = weir_wall_now().us;
}

/** Under the lock. */
static weir_err change(const presence_local *self, presence_request *request, uint64_t device,
                       presence_state state)
{
    weir_err err = WEIR_OK;
    user_entry *u = find(request->ids[0]);
    if (!u && state == PRESENCE_OFFLINE)
        return WEIR_OK;
    if (!u)
        u = add_user(request->ids[0], self->max_users);
    if (!u)
        return WEIR_ENOMEM;
    expire(u);
    request->before = state_of(u);
    if (state == PRESENCE_OFFLINE)
        remove_entry(u, self, device);
    else
        err = set_entry(u, self, device, state);
    request->after = state_of(u);
    return err;
}

/* The table of functions. */

static weir_err set(presence *base, uint64_t user_id, uint64_t device, presence_state state,
                    presence_changed_fn fn, void *user)
{
    presence_local *self = (presence_local *)base;
    if (self->closed)
        return WEIR_ECLOSED;
    if (self->answers.count >= PRESENCE_MAX_REQUESTS)
        return WEIR_EFULL;
    presence_request *request = presence_request_new(self, &user_id, 1);
    if (!request)
        return WEIR_ENOMEM;
    request->on_set = fn;
    request->user = user;
    pthread_mutex_lock(&users.lock);
    weir_err err = change(self, request, device, state);
    pthread_mutex_unlock(&users.lock);
    if (err)
        free(request);
    else
        presence_answers_add(&self->answers, request, WEIR_OK);
    return err;
}

static weir_err get(presence *base, const uint64_t *user_ids, size_t count, presence_fn fn,
                    void *user)
{
    presence_local *self = (presence_local *)base;
    if (self->closed)
        return WEIR_ECLOSED;
    if (count > PRESENCE_MAX_ASKED || !fn)
        return WEIR_EINVAL;
    if (self->answers.count >= PRESENCE_MAX_REQUESTS)
        return WEIR_EFULL;
    presence_request *request = presence_request_new(self, user_ids, count);
    if (!request)
        return WEIR_ENOMEM;
    request->on_get = fn;
    request->user = user;
    pthread_mutex_lock(&users.lock);
    for (size_t i = 0; i < count; i++) {
        user_entry *u = find(user_ids[i]);
        if (u)
            request->infos[i] = info_of(u);
    }
    pthread_mutex_unlock(&users.lock);
    presence_answers_add(&self->answers, request, WEIR_OK);
    return WEIR_OK;
}

/* Its life. */

static void on_gone(presence_answers *answers)
{
    free(WEIR_CONTAINER_OF(answers, presence_local, answers));
}

/** Under the lock: the last one takes everything with it. */
static void leave_users(void)
{
    if (--users.opened > 0)
        return;
    while (!weir_list_empty(&users.by_age))
        forget(WEIR_CONTAINER_OF(users.by_age.next, user_entry, link));
    table_fini(&users.table);
    for (node_name *name; (name = users.names);) {
        users.names = name->next;
        free(name);
    }
}

static void close_presence(presence *base)
{
    presence_local *self = (presence_local *)base;
    if (self->closed)
        return;
    self->closed = true;
    pthread_mutex_lock(&users.lock);
    leave_users();
    pthread_mutex_unlock(&users.lock);
    presence_answers_close(&self->answers);
}

static const presence_ops ops = {set, get, close_presence};

/** Under the lock. @return NULL: out of memory */
static const node_name *name_of(const char *text)
{
    node_name *name = users.names;
    size_t size = strlen(text) + 1;
    while (name && strcmp(name->text, text) != 0)
        name = name->next;
    if (name || !(name = malloc(sizeof *name + size)))
        return name;
    memcpy(name->text, text, size);
    name->next = users.names;
    users.names = name;
    return name;
}

static weir_err join_users(presence_local *self, const char *node)
{
    weir_err err = WEIR_OK;
    pthread_mutex_lock(&users.lock);
    if (users.opened == 0) {
        weir_list_init(&users.by_age);
        err = table_init(&users.table);
    }
    if (!err) {
        users.opened++;
        self->node = name_of(node);
        if (!self->node) {
            leave_users();
            err = WEIR_ENOMEM;
        }
    }
    pthread_mutex_unlock(&users.lock);
    return err;
}

weir_err presence_local_open(presence **out, weir_loop *loop, const presence_opts *opts)
{
    presence_local *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->base.ops = &ops;
    self->ttl_us = opts->ttl_us;
    self->max_users = opts->max_users;
    presence_answers_init(&self->answers, loop, on_gone);
    weir_err err = join_users(self, opts->node);
    if (err) {
        free(self);
        return err;
    }
    *out = &self->base;
    return WEIR_OK;
}
