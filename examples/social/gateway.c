/* The one that people's programs call. It keeps nothing: any of several will do. What it asks of
 * another module goes to the process that has that person (consistent hash), ends when its own
 * call ends, and is tried again elsewhere when a process dies. */
#include "modules.h"

static weir_call_opts for_person(weir_blocking_call *call, weir_str name)
{
    return (weir_call_opts){.parent = weir_blocking_id(call), .hash_key = name};
}

/** The module's answer, with its name in front: who reads the log knows where to look. */
static weir_status passed_on(weir_blocking_call *call, const char *module,
                             const weir_status *status)
{
    return status->code ? weir_blocking_fail(call, status->code, "%s: %.*s", module,
                                             WEIR_STR_ARGS(status->message))
                        : WEIR_BLOCKING_OK;
}

static weir_status must_exist(weir_blocking_call *call, const peers *others, weir_str name)
{
    social_person *person;
    weir_call_opts opts = for_person(call, name);
    weir_status status = social_users_get(others->users, weir_blocking_arena(call),
                                          &(social_name){.name = name}, &person, &opts);
    return passed_on(call, "users", &status);
}

static weir_status sign_up(weir_blocking_call *call, const social_person *person,
                           social_done *out WEIR_UNUSED, void *user)
{
    const peers *others = user;
    social_done *done;
    weir_call_opts opts = for_person(call, person->name);
    weir_status status =
        social_users_create(others->users, weir_blocking_arena(call), person, &done, &opts);
    return passed_on(call, "users", &status);
}

static weir_status follow(weir_blocking_call *call, const social_pair *pair,
                          social_done *out WEIR_UNUSED, void *user)
{
    const peers *others = user;
    social_done *done;
    weir_status status = must_exist(call, others, pair->who);
    if (!status.code)
        status = must_exist(call, others, pair->whom);
    if (status.code)
        return status;
    weir_call_opts opts = for_person(call, pair->who);
    status =
        social_relations_follow(others->relations, weir_blocking_arena(call), pair, &done, &opts);
    return passed_on(call, "relations", &status);
}

static weir_status say(weir_blocking_call *call, const social_post *post, social_post *out,
                       void *user)
{
    const peers *others = user;
    social_post *added;
    weir_status status = must_exist(call, others, post->author);
    if (status.code)
        return status;
    weir_call_opts opts = for_person(call, post->author);
    status = social_messages_add(others->messages, weir_blocking_arena(call), post, &added, &opts);
    if (!status.code)
        *out = *added;
    return passed_on(call, "messages", &status);
}

static bool append(weir_arena *mem, social_posts *to, const social_posts *from)
{
    size_t len = to->posts.len + from->posts.len;
    social_post *items = weir_arena_alloc(mem, len * sizeof *items + 1);
    if (!items)
        return false;
    if (to->posts.len > 0)
        memcpy(items, to->posts.items, to->posts.len * sizeof *items);
    if (from->posts.len > 0)
        memcpy(items + to->posts.len, from->posts.items, from->posts.len * sizeof *items);
    to->posts.items = items;
    to->posts.len = len;
    return true;
}

static weir_status home(weir_blocking_call *call, const social_name *who, social_posts *out,
                        void *user)
{
    const peers *others = user;
    weir_arena *mem = weir_blocking_arena(call);
    social_names *whom;
    weir_call_opts opts = for_person(call, who->name);
    weir_status status = social_relations_following(others->relations, mem, who, &whom, &opts);
    if (status.code)
        return passed_on(call, "relations", &status);
    for (size_t i = 0; i < whom->names.len; i++) {
        social_posts *posts;
        opts = for_person(call, whom->names.items[i]);
        status = social_messages_by(others->messages, mem,
                                    &(social_name){.name = whom->names.items[i]}, &posts, &opts);
        if (status.code)
            return passed_on(call, "messages", &status);
        if (!append(mem, out, posts))
            return weir_blocking_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "too many posts");
    }
    return WEIR_BLOCKING_OK;
}

static const social_gateway_methods methods = {
    .blocking = {.sign_up = sign_up, .follow = follow, .say = say, .home = home}};

weir_err gateway_serve(weir_server *server, peers *others)
{
    return social_gateway_serve(server, &methods, others);
}
