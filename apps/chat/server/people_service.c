/* PeopleService: friends, and those whom one does not want to hear. */
#include "model/people.h"

#include "auth.h"
#include "devices.h"
#include "tell.h"
#include "work.h"

typedef struct people_work {
    work is;
    people_action action;
    people_change change;
    people_row *people;
    size_t count;
} people_work;

static weir_err apply(db *d, work *is)
{
    people_work *self = WEIR_CONTAINER_OF(is, people_work, is);
    const chat_person_request *request = is->request;
    return people_apply(d, is->who.id, request->name, self->action, &self->change, &is->why);
}

/** The other one sees what has become of it; not that they are blocked. */
static void tell_peer(const people_work *self)
{
    if (self->change.theirs == self->change.theirs_before)
        return;
    chat_profile profile = {.name = weir_str_from(self->is.who.name)};
    chat_person person = {.profile = &profile, .relation = self->change.theirs};
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_PERSON, .frame.person = &person};
    tell_user_post(self->is.app, self->change.peer, &frame);
}

/** One's own other devices see it too. */
static void tell_self(const people_work *self, weir_str peer_name)
{
    chat_profile profile = {.name = peer_name};
    chat_person person = {.profile = &profile, .relation = self->change.mine};
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_PERSON, .frame.person = &person};
    tell_user_post(self->is.app, self->is.who.id, &frame);
}

static weir_status act(weir_blocking_call *call, people_action action,
                       const chat_person_request *request, chat_person *reply, void *user)
{
    people_work self = {
        .is = {.app = user, .who = auth_blocking_caller(call), .request = request, .run = apply},
        .action = action};
    weir_status status = work_run(&self.is, call);
    if (status.code != WEIR_STATUS_OK)
        return status;
    chat_profile *profile = weir_arena_zalloc(weir_blocking_arena(call), sizeof *profile);
    if (!profile)
        return weir_blocking_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    profile->name = request->name;
    reply->profile = profile;
    reply->relation = self.change.mine;
    tell_peer(&self);
    tell_self(&self, request->name);
    return status;
}

static weir_status request_friend(weir_blocking_call *call, const chat_person_request *request,
                                  chat_person *reply, void *user)
{
    return act(call, PEOPLE_REQUEST, request, reply, user);
}

static weir_status accept_friend(weir_blocking_call *call, const chat_person_request *request,
                                 chat_person *reply, void *user)
{
    return act(call, PEOPLE_ACCEPT, request, reply, user);
}

static weir_status remove_friend(weir_blocking_call *call, const chat_person_request *request,
                                 chat_person *reply, void *user)
{
    return act(call, PEOPLE_REMOVE, request, reply, user);
}

static weir_status block(weir_blocking_call *call, const chat_person_request *request,
                         chat_person *reply, void *user)
{
    return act(call, PEOPLE_BLOCK, request, reply, user);
}

static weir_status unblock(weir_blocking_call *call, const chat_person_request *request,
                           chat_person *reply, void *user)
{
    return act(call, PEOPLE_UNBLOCK, request, reply, user);
}

static weir_err read_people(db *d, work *is)
{
    people_work *self = WEIR_CONTAINER_OF(is, people_work, is);
    return people_list(d, is->who.id, is->mem, &self->people, &self->count);
}

/** Only friends' presence is shown. */
static weir_status show(weir_blocking_call *call, const people_work *self,
                        chat_list_people_response *reply)
{
    size_t count = self->count;
    weir_arena *mem = weir_blocking_arena(call);
    chat_person *people = weir_arena_zalloc(mem, (count + 1) * sizeof *people);
    chat_profile *profiles = weir_arena_zalloc(mem, (count + 1) * sizeof *profiles);
    uint64_t *users = weir_arena_zalloc(mem, (count + 1) * sizeof *users);
    presence_info *infos = weir_arena_zalloc(mem, (count + 1) * sizeof *infos);
    if (!people || !profiles || !users || !infos)
        return weir_blocking_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < count; i++)
        users[i] = self->people[i].id;
    devices_ask(self->is.app, users, count, infos);
    for (size_t i = 0; i < count; i++) {
        const people_row *of = &self->people[i];
        profiles[i] = (chat_profile){.name = of->name, .display_name = of->display_name};
        if (of->relation == CHAT_RELATION_FRIEND)
            devices_show(&infos[i], 0, &profiles[i]);
        people[i] = (chat_person){.profile = &profiles[i], .relation = of->relation};
    }
    reply->people.items = people;
    reply->people.len = count;
    return WEIR_BLOCKING_OK;
}

static weir_status list_people(weir_blocking_call *call, const chat_list_people_request *request,
                               chat_list_people_response *reply, void *user)
{
    people_work self = {.is = {.app = user,
                               .who = auth_blocking_caller(call),
                               .request = request,
                               .run = read_people,
                               .job.reads_only = true}};
    weir_status status = work_run(&self.is, call);
    return status.code == WEIR_STATUS_OK ? show(call, &self, reply) : status;
}

weir_err people_serve(weir_server *server, app *self)
{
    static const chat_people_service_methods methods = {
        .blocking = {.request_friend = request_friend,
                     .accept_friend = accept_friend,
                     .remove_friend = remove_friend,
                     .block = block,
                     .unblock = unblock,
                     .list_people = list_people},
    };
    return chat_people_service_serve(server, &methods, self);
}
