/* The SQL of each subject, over SQLite, or with WEIR_MARIADB_URL over MariaDB. */
#include <stdio.h>

#include "conversations.h"
#include "members.h"
#include "messages.h"
#include "people.h"
#include "store/store_testing.h"

typedef struct world {
    testing_store store;
    db *d;
    ids ids;
    weir_arena *mem;
    refusal why;
} world;

static void open_world(world *w)
{
    weir_why why;
    *w = (world){0};
    testing_store_init(&w->store);
    w->d = testing_db(&w->store);
    assert_ok(schema_migrate(w->d, &why));
    ids_init(&w->ids, 1);
    w->mem = weir_arena_new();
    assert_non_null(w->mem);
    assert_ok(db_begin(w->d, false));
}

static void close_world(world *w)
{
    assert_ok(db_commit(w->d));
    db_close(w->d);
    weir_arena_free(w->mem);
    testing_store_fini(&w->store);
}

static caller add_user(world *w, const char *name)
{
    caller made = {.id = ids_next(&w->ids), .generation = 1};
    snprintf(made.name, sizeof made.name, "%s", name);
    weir_str text = weir_str_from(made.name);
    assert_ok(accounts_add(w->d, &(account){.id = made.id,
                                            .name = text,
                                            .password = WEIR_STR("x"),
                                            .display_name = text,
                                            .about = WEIR_STR(""),
                                            .last_seen_us = 1}));
    return made;
}

static uint64_t join(world *w, const caller *who, const char *room)
{
    uint64_t id = 0;
    assert_ok(conversations_join(w->d, &w->ids, who->id, weir_str_from(room), true, &id, &w->why));
    return id;
}

static message_stored say(world *w, const caller *who, uint64_t conversation, const char *id)
{
    message_stored out;
    message_new in = {.from = who,
                      .client_id = weir_str_from(id),
                      .to = CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION,
                      .conversation = conversation,
                      .text = weir_str_from(id)};
    assert_ok(messages_store(w->d, &w->ids, &in, &out, &w->why));
    return out;
}

TEST(model, ids_grow_and_say_when)
{
    ids source;
    ids_init(&source, 1025); /* the node's number is cut to 10 bits */
    int64_t before = weir_wall_now().us;
    uint64_t last = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t id = ids_next(&source);
        assert_true(id > last);
        assert_true(id <= INT64_MAX);
        last = id;
    }
    assert_int_equal(last >> 12 & 1023, 1);
    /* 100,000 in less than a hundred milliseconds run ahead of the clock, 4,096 in each. */
    assert_in_range(ids_time_us(last), before - 1000, weir_wall_now().us + 1000000);
}

TEST(model, accounts_are_found_by_their_exact_name)
{
    world w;
    account found;
    open_world(&w);
    caller ann = add_user(&w, "ann");
    assert_ok(accounts_find(w.d, WEIR_STR("ann"), w.mem, &found));
    assert_int_equal(found.id, ann.id);
    assert_int_equal(found.generation, 1);
    assert_err(accounts_find(w.d, WEIR_STR("Ann"), w.mem, &found), WEIR_ENOENT);
    assert_err(accounts_find(w.d, WEIR_STR("ann "), w.mem, &found), WEIR_ENOENT);
    assert_err(accounts_find(w.d, WEIR_STR("'; --"), w.mem, &found), WEIR_ENOENT);
    close_world(&w);
}

TEST(model, a_new_password_ends_older_tokens)
{
    world w;
    open_world(&w);
    caller ann = add_user(&w, "ann"), nobody = {.id = 5, .generation = 1};
    assert_ok(accounts_check(w.d, &ann));
    assert_ok(accounts_set_password(w.d, ann.id, WEIR_STR("y")));
    assert_err(accounts_check(w.d, &ann), WEIR_EACCES);
    ann.generation++;
    assert_ok(accounts_check(w.d, &ann));
    assert_err(accounts_check(w.d, &nobody), WEIR_EACCES);
    close_world(&w);
}

TEST(model, a_setting_is_made_once)
{
    world w;
    weir_str value;
    open_world(&w);
    assert_ok(settings_get_or_make(w.d, WEIR_STR("s"), WEIR_STR("a\0b"), w.mem, &value));
    assert_str(value, "a\0b");
    assert_ok(settings_get_or_make(w.d, WEIR_STR("s"), WEIR_STR("other"), w.mem, &value));
    assert_str(value, "a\0b");
    close_world(&w);
}

static void relate(world *w, const caller *me, const char *peer, people_action action,
                   chat_relation mine, chat_relation theirs)
{
    people_change change;
    assert_ok(people_apply(w->d, me->id, weir_str_from(peer), action, &change, &w->why));
    assert_int_equal(w->why.code, WEIR_STATUS_OK);
    assert_int_equal(change.mine, mine);
    assert_int_equal(change.theirs, theirs);
}

TEST(model, relations)
{
    world w;
    people_change change;
    open_world(&w);
    caller ann = add_user(&w, "ann"), bob = add_user(&w, "bob");
    relate(&w, &ann, "bob", PEOPLE_REQUEST, CHAT_RELATION_ASKED, CHAT_RELATION_ASKS);
    relate(&w, &ann, "bob", PEOPLE_REQUEST, CHAT_RELATION_ASKED, CHAT_RELATION_ASKS);
    relate(&w, &bob, "ann", PEOPLE_ACCEPT, CHAT_RELATION_FRIEND, CHAT_RELATION_FRIEND);
    relate(&w, &bob, "ann", PEOPLE_BLOCK, CHAT_RELATION_BLOCKED, CHAT_RELATION_UNSPECIFIED);
    relate(&w, &ann, "bob", PEOPLE_BLOCK, CHAT_RELATION_BLOCKED, CHAT_RELATION_BLOCKED);
    relate(&w, &bob, "ann", PEOPLE_UNBLOCK, CHAT_RELATION_UNSPECIFIED, CHAT_RELATION_BLOCKED);
    assert_ok(people_apply(w.d, bob.id, WEIR_STR("ann"), PEOPLE_REQUEST, &change, &w.why));
    assert_int_equal(w.why.code, WEIR_STATUS_PERMISSION_DENIED);
    relate(&w, &bob, "ann", PEOPLE_REMOVE, CHAT_RELATION_UNSPECIFIED, CHAT_RELATION_BLOCKED);
    close_world(&w);
}

TEST(model, relations_have_a_limit)
{
    world w;
    people_change change;
    people_row *people;
    size_t count;
    open_world(&w);
    caller ann = add_user(&w, "ann");
    for (int i = 0; i <= PEOPLE_MAX_RELATIONS; i++) {
        char name[16];
        snprintf(name, sizeof name, "u%04d", i);
        add_user(&w, name);
        assert_ok(people_apply(w.d, ann.id, weir_str_from(name), PEOPLE_REQUEST, &change, &w.why));
    }
    assert_int_equal(w.why.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_ok(people_list(w.d, ann.id, w.mem, &people, &count));
    assert_int_equal(count, PEOPLE_MAX_RELATIONS);
    assert_str(people[0].name, "u0000");
    assert_int_equal(people[0].relation, CHAT_RELATION_ASKED);
    close_world(&w);
}

TEST(model, a_user_may_be_in_so_many_conversations)
{
    world w;
    message_stored out;
    open_world(&w);
    caller ann = add_user(&w, "ann"), bob = add_user(&w, "bob");
    for (int i = 0; i <= CONVERSATIONS_PER_USER; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%d", i);
        join(&w, &ann, name);
        assert_int_equal(w.why.code, i < CONVERSATIONS_PER_USER ? WEIR_STATUS_OK
                                                                : WEIR_STATUS_RESOURCE_EXHAUSTED);
    }
    /* That holds for a conversation that somebody else begins, too. */
    message_new in = {.from = &bob,
                      .client_id = WEIR_STR("1"),
                      .to = CHAT_SEND_MESSAGE_REQUEST_TO_USER,
                      .name = WEIR_STR("ann"),
                      .text = WEIR_STR("hi")};
    assert_ok(messages_store(w.d, &w.ids, &in, &out, &w.why));
    assert_int_equal(w.why.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    close_world(&w);
}

TEST(model, a_message_is_stored_once)
{
    world w;
    open_world(&w);
    caller ann = add_user(&w, "ann");
    uint64_t room = join(&w, &ann, "r");
    message_stored first = say(&w, &ann, room, "a"), again = say(&w, &ann, room, "a");
    message_stored second = say(&w, &ann, room, "b");
    assert_false(first.repeated);
    assert_true(again.repeated);
    assert_int_equal(first.id, again.id);
    assert_int_equal(again.seq, 1);
    assert_int_equal(first.time_us, again.time_us);
    assert_int_equal(second.seq, 2);
    close_world(&w);
}

TEST(model, sync_brings_everything_page_by_page)
{
    world w;
    chat_position at[3] = {{0}};
    int pages = 0, got = 0;
    open_world(&w);
    caller ann = add_user(&w, "ann");
    for (int c = 0; c < 3; c++) {
        char room[8], id[16];
        snprintf(room, sizeof room, "r%d", c);
        at[c].conversation = join(&w, &ann, room);
        for (int i = 0; i < 10; i++) {
            snprintf(id, sizeof id, "%d.%d", c, i);
            say(&w, &ann, at[c].conversation, id);
        }
    }
    for (bool more = true; more; pages++) {
        chat_sync_response page = {.more = false};
        chat_sync_request request = {.positions = {at, 3}, .limit = 4};
        assert_ok(messages_sync(w.d, ann.id, &request, w.mem, &page));
        for (size_t i = 0; i < page.messages.len; i++, got++) {
            const chat_message *m = &page.messages.items[i];
            int c = m->conversation == at[0].conversation ? 0 : 1;
            c = m->conversation == at[2].conversation ? 2 : c;
            assert_int_equal(m->seq, at[c].seq + 1);
            at[c].seq++;
        }
        assert_true(page.messages.len > 0);
        more = page.more;
    }
    assert_int_equal(got, 30);
    assert_int_equal(pages, 8);
    close_world(&w);
}

TEST(model, marks_go_forward_and_not_past_the_end)
{
    world w;
    chat_conversation *list;
    size_t count;
    open_world(&w);
    caller ann = add_user(&w, "ann");
    uint64_t room = join(&w, &ann, "r");
    for (int i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof id, "%d", i);
        say(&w, &ann, room, id);
    }
    static const uint64_t steps[][4] = {/* delivered, read; then both as they are */
                                        {3, 1, 3, 1},
                                        {2, 0, 3, 1},
                                        {0, 4, 4, 4}, /* what is read has been delivered */
                                        {UINT64_MAX, 0, 5, 4}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_ok(messages_mark(w.d, ann.id,
                                &(chat_mark){.conversation = room,
                                             .delivered_seq = steps[i][0],
                                             .read_seq = steps[i][1]}));
        assert_ok(conversations_list(w.d, ann.id, w.mem, &list, &count));
        assert_int_equal(list[0].delivered_seq, steps[i][2]);
        assert_int_equal(list[0].read_seq, steps[i][3]);
    }
    close_world(&w);
}

TEST(model, who_joins_a_room_begins_at_its_end)
{
    world w;
    chat_conversation seen;
    open_world(&w);
    caller ann = add_user(&w, "ann"), bob = add_user(&w, "bob");
    uint64_t room = join(&w, &ann, "r");
    say(&w, &ann, room, "a");
    assert_int_equal(join(&w, &bob, "r"), room);
    assert_ok(conversations_get(w.d, bob.id, room, w.mem, &seen));
    assert_int_equal(seen.first_seq, 1);
    assert_int_equal(seen.delivered_seq, 1);
    assert_int_equal(seen.role, CHAT_ROLE_MEMBER);
    close_world(&w);
}

TEST(model, topics_need_no_members)
{
    world w;
    chat_notification *items;
    size_t count;
    bool more;
    uint64_t end;
    open_world(&w);
    caller ann = add_user(&w, "ann");
    assert_ok(messages_topic_end(w.d, WEIR_STR("news"), &end));
    assert_int_equal(end, 0);
    for (int i = 0; i < 5; i++) {
        char id[8];
        message_stored out;
        snprintf(id, sizeof id, "%d", i);
        message_new in = {.from = &ann,
                          .client_id = weir_str_from(id),
                          .topic = true,
                          .name = WEIR_STR("news"),
                          .type = CHAT_NOTIFICATION_TYPE_ALERT,
                          .title = weir_str_from(id)};
        assert_ok(messages_store(w.d, &w.ids, &in, &out, &w.why));
    }
    assert_ok(messages_of_topic(w.d, WEIR_STR("news"), 1, 2, w.mem, &items, &count, &more));
    assert_int_equal(count, 2);
    assert_true(more);
    assert_str(items[0].title, "1");
    assert_int_equal(items[1].seq, 3);
    assert_int_equal(items[1].type, CHAT_NOTIFICATION_TYPE_ALERT);
    assert_ok(messages_of_topic(w.d, WEIR_STR("none"), 0, 2, w.mem, &items, &count, &more));
    assert_int_equal(count, 0);
    close_world(&w);
}
