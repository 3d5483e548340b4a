/* ConversationService: groups and rooms, and who is in them. */
#include "model/conversations.h"

#include "auth.h"
#include "tell.h"
#include "work.h"

typedef struct conversation_work {
    work is;
    uint64_t id;
    uint64_t *users; /* who is in it now, and was not */
    size_t count;
    member_action action;
    uint64_t user;
} conversation_work;

static void tell_new(app *host, uint64_t user, const chat_conversation *conversation)
{
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_CONVERSATION,
                               .frame.conversation = conversation};
    tell_user_post(host, user, &frame);
}

static void tell_left(app *host, uint64_t user, uint64_t conversation)
{
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_LEFT, .frame.left = conversation};
    tell_user_post(host, user, &frame);
}

/** The conversation as the caller sees it, into the reply. */
static weir_err show(db *d, work *is, uint64_t id)
{
    weir_err err = conversations_get(d, is->who.id, id, is->mem, is->reply);
    return err == WEIR_ENOENT ? WEIR_EAGAIN : err; /* left at this moment */
}

static weir_err create(db *d, work *is)
{
    conversation_work *self = WEIR_CONTAINER_OF(is, conversation_work, is);
    weir_err err = conversations_create(d, &is->app->ids, is->who.id, is->request, is->mem,
                                        &self->id, &self->users, &self->count, &is->why);
    return err || is->why.code ? err : show(d, is, self->id);
}

static weir_status create_conversation(weir_blocking_call *call,
                                       const chat_create_conversation_request *request,
                                       chat_conversation *reply, void *user)
{
    conversation_work self = {.is = {.app = user,
                                     .who = auth_blocking_caller(call),
                                     .request = request,
                                     .reply = reply,
                                     .run = create}};
    bool room = request->kind == CHAT_CONVERSATION_KIND_ROOM;
    const char *wrong = NULL;
    if (!room && request->kind != CHAT_CONVERSATION_KIND_GROUP)
        wrong = "kind must be a group or a room";
    else if (room && !chat_name_is_valid(request->name, CHAT_MAX_NAME))
        wrong = "a room's name is 1 to 64 of a-z 0-9 . _ -";
    else if (request->title.len > 128 || request->members.len > 100)
        wrong = "title is 128 bytes at most, and members 100";
    if (wrong)
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "%s", wrong);
    weir_status status = work_run(&self.is, call);
    chat_conversation theirs = *reply;
    for (size_t i = 0; status.code == WEIR_STATUS_OK && i < self.count; i++) {
        theirs.role = i == 0 ? CHAT_ROLE_OWNER : CHAT_ROLE_MEMBER;
        tell_new(user, self.users[i], &theirs);
    }
    return status;
}

static weir_err join_room(db *d, work *is)
{
    conversation_work *self = WEIR_CONTAINER_OF(is, conversation_work, is);
    const chat_join_request *request = is->request;
    weir_err err = conversations_join(d, &is->app->ids, is->who.id, request->room, request->create,
                                      &self->id, &is->why);
    return err || is->why.code ? err : show(d, is, self->id);
}

static weir_status join(weir_blocking_call *call, const chat_join_request *request,
                        chat_conversation *reply, void *user)
{
    conversation_work self = {.is = {.app = user,
                                     .who = auth_blocking_caller(call),
                                     .request = request,
                                     .reply = reply,
                                     .run = join_room}};
    if (!chat_name_is_valid(request->room, CHAT_MAX_NAME))
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                                  "a room's name is 1 to 64 of a-z 0-9 . _ -");
    weir_status status = work_run(&self.is, call);
    if (status.code == WEIR_STATUS_OK)
        tell_new(user, self.is.who.id, reply);
    return status;
}

static weir_err leave_conversation(db *d, work *is)
{
    const chat_conversation_request *request = is->request;
    return conversations_leave(d, is->who.id, request->conversation, &is->why);
}

static weir_status leave(weir_blocking_call *call, const chat_conversation_request *request,
                         chat_member_response *reply, void *user)
{
    work self = {.app = user,
                 .who = auth_blocking_caller(call),
                 .request = request,
                 .reply = reply,
                 .run = leave_conversation};
    weir_status status = work_run(&self, call);
    if (status.code == WEIR_STATUS_OK)
        tell_left(user, self.who.id, request->conversation);
    return status;
}

static weir_err change(db *d, work *is)
{
    conversation_work *self = WEIR_CONTAINER_OF(is, conversation_work, is);
    return conversations_change_member(d, is->who.id, self->action, is->request, &self->user,
                                       &is->why);
}

/** What the others' devices need is that they look anew; what it is like they read then. */
static weir_status change_member(weir_blocking_call *call, member_action action,
                                 const chat_member_request *request, void *user)
{
    conversation_work self = {
        .is = {.app = user, .who = auth_blocking_caller(call), .request = request, .run = change},
        .action = action};
    weir_status status = work_run(&self.is, call);
    if (status.code != WEIR_STATUS_OK)
        return status;
    if (action == MEMBER_REMOVE)
        tell_left(user, self.user, request->conversation);
    else
        tell_new(user, self.user, &(chat_conversation){.id = request->conversation});
    return status;
}

static weir_status add_member(weir_blocking_call *call, const chat_member_request *request,
                              chat_member_response *reply WEIR_UNUSED, void *user)
{
    return change_member(call, MEMBER_ADD, request, user);
}

static weir_status remove_member(weir_blocking_call *call, const chat_member_request *request,
                                 chat_member_response *reply WEIR_UNUSED, void *user)
{
    return change_member(call, MEMBER_REMOVE, request, user);
}

static weir_status set_role(weir_blocking_call *call, const chat_member_request *request,
                            chat_member_response *reply WEIR_UNUSED, void *user)
{
    return change_member(call, MEMBER_SET_ROLE, request, user);
}

static weir_err read_members(db *d, work *is)
{
    return conversations_members(d, is->who.id, is->request, is->mem, is->reply, &is->why);
}

static weir_status list_members(weir_blocking_call *call, const chat_list_members_request *request,
                                chat_list_members_response *reply, void *user)
{
    work self = {.app = user,
                 .who = auth_blocking_caller(call),
                 .request = request,
                 .reply = reply,
                 .run = read_members,
                 .job.reads_only = true};
    return work_run(&self, call);
}

static weir_err read_conversations(db *d, work *is)
{
    chat_list_conversations_response *reply = is->reply;
    chat_conversation *items;
    weir_err err = conversations_list(d, is->who.id, is->mem, &items, &reply->conversations.len);
    reply->conversations.items = items;
    return err;
}

static weir_status list_conversations(weir_blocking_call *call,
                                      const chat_list_conversations_request *request,
                                      chat_list_conversations_response *reply, void *user)
{
    work self = {.app = user,
                 .who = auth_blocking_caller(call),
                 .request = request,
                 .reply = reply,
                 .run = read_conversations,
                 .job.reads_only = true};
    return work_run(&self, call);
}

weir_err conversation_serve(weir_server *server, app *self)
{
    static const chat_conversation_service_methods methods = {
        .blocking = {.create_conversation = create_conversation,
                     .join = join,
                     .leave = leave,
                     .add_member = add_member,
                     .remove_member = remove_member,
                     .set_role = set_role,
                     .list_members = list_members,
                     .list_conversations = list_conversations},
    };
    return chat_conversation_service_serve(server, &methods, self);
}
