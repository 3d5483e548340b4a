/* The unary calls by their names. */
#include "client_impl.h"

static weir_err people(chat_client *self, const char *method, weir_str name,
                       chat_client_reply_fn done, void *user)
{
    return chat_client_call(self, chat_client_method(&chat_people_service_service, method),
                            &(chat_person_request){.name = name}, done, user);
}

static weir_err conversations(chat_client *self, const char *method, const void *request,
                              chat_client_reply_fn done, void *user)
{
    return chat_client_call(self, chat_client_method(&chat_conversation_service_service, method),
                            request, done, user);
}

static weir_err account(chat_client *self, const char *method, const void *request,
                        chat_client_reply_fn done, void *user)
{
    return chat_client_call(self, chat_client_method(&chat_account_service_service, method),
                            request, done, user);
}

weir_err chat_client_request_friend(chat_client *self, weir_str name, chat_client_reply_fn done,
                                    void *user)
{
    return people(self, "RequestFriend", name, done, user);
}

weir_err chat_client_accept_friend(chat_client *self, weir_str name, chat_client_reply_fn done,
                                   void *user)
{
    return people(self, "AcceptFriend", name, done, user);
}

weir_err chat_client_remove_friend(chat_client *self, weir_str name, chat_client_reply_fn done,
                                   void *user)
{
    return people(self, "RemoveFriend", name, done, user);
}

weir_err chat_client_block(chat_client *self, weir_str name, chat_client_reply_fn done, void *user)
{
    return people(self, "Block", name, done, user);
}

weir_err chat_client_unblock(chat_client *self, weir_str name, chat_client_reply_fn done,
                             void *user)
{
    return people(self, "Unblock", name, done, user);
}

weir_err chat_client_list_people(chat_client *self, chat_client_reply_fn done, void *user)
{
    return chat_client_call(self, chat_client_method(&chat_people_service_service, "ListPeople"),
                            &(chat_list_people_request){0}, done, user);
}

weir_err chat_client_create_group(chat_client *self, weir_str title, const weir_str *members,
                                  size_t count, chat_client_reply_fn done, void *user)
{
    chat_create_conversation_request request = {
        .kind = CHAT_CONVERSATION_KIND_GROUP, .title = title, .members = {members, count}};
    return conversations(self, "CreateConversation", &request, done, user);
}

weir_err chat_client_create_room(chat_client *self, weir_str name, weir_str title,
                                 chat_client_reply_fn done, void *user)
{
    chat_create_conversation_request request = {
        .kind = CHAT_CONVERSATION_KIND_ROOM, .name = name, .title = title};
    return conversations(self, "CreateConversation", &request, done, user);
}

weir_err chat_client_join(chat_client *self, weir_str room, bool create, chat_client_reply_fn done,
                          void *user)
{
    return conversations(self, "Join", &(chat_join_request){.room = room, .create = create}, done,
                         user);
}

weir_err chat_client_leave(chat_client *self, uint64_t conversation, chat_client_reply_fn done,
                           void *user)
{
    return conversations(self, "Leave", &(chat_conversation_request){.conversation = conversation},
                         done, user);
}

weir_err chat_client_add_member(chat_client *self, uint64_t conversation, weir_str name,
                                chat_client_reply_fn done, void *user)
{
    chat_member_request request = {.conversation = conversation, .user = name};
    return conversations(self, "AddMember", &request, done, user);
}

weir_err chat_client_remove_member(chat_client *self, uint64_t conversation, weir_str name,
                                   chat_client_reply_fn done, void *user)
{
    chat_member_request request = {.conversation = conversation, .user = name};
    return conversations(self, "RemoveMember", &request, done, user);
}

weir_err chat_client_set_role(chat_client *self, uint64_t conversation, weir_str name,
                              chat_role role, chat_client_reply_fn done, void *user)
{
    chat_member_request request = {.conversation = conversation, .user = name, .role = role};
    return conversations(self, "SetRole", &request, done, user);
}

weir_err chat_client_list_members(chat_client *self, uint64_t conversation, weir_str after,
                                  chat_client_reply_fn done, void *user)
{
    chat_list_members_request request = {
        .conversation = conversation, .after = after, .limit = 500};
    return conversations(self, "ListMembers", &request, done, user);
}

weir_err chat_client_list_conversations(chat_client *self, chat_client_reply_fn done, void *user)
{
    return conversations(self, "ListConversations", &(chat_list_conversations_request){0}, done,
                         user);
}

weir_err chat_client_history(chat_client *self, uint64_t conversation, uint64_t after_seq,
                             uint64_t before_seq, uint32_t limit, chat_client_reply_fn done,
                             void *user)
{
    chat_history_request request = {.conversation = conversation,
                                    .after_seq = after_seq,
                                    .before_seq = before_seq,
                                    .limit = limit};
    return chat_client_call(self, chat_client_method(&chat_message_service_service, "History"),
                            &request, done, user);
}

weir_err chat_client_get_profile(chat_client *self, weir_str name, chat_client_reply_fn done,
                                 void *user)
{
    return account(self, "GetProfile", &(chat_get_profile_request){.name = name}, done, user);
}

weir_err chat_client_set_profile(chat_client *self, weir_str display_name, weir_str about,
                                 chat_client_reply_fn done, void *user)
{
    chat_set_profile_request request = {.display_name = display_name, .about = about};
    return account(self, "SetProfile", &request, done, user);
}
