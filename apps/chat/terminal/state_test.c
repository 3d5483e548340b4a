#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static const chat_client_events no_events;

static chat_client *client_of(weir_loop *loop, const char *name)
{
    chat_client *client = NULL;
    assert_ok(chat_client_new(&client, loop, &(chat_client_opts){.name = name, .token = "t"},
                              &no_events, NULL));
    return client;
}

static void close_clients(weir_loop *loop, chat_client *a, chat_client *b)
{
    chat_client_free(a);
    chat_client_free(b);
    assert_ok(weir_loop_run_once(loop, 0));
    weir_loop_free(loop);
}

TEST(state, what_was_saved_is_loaded)
{
    char path[] = "/tmp/weir-chat-state-XXXXXX";
    weir_loop *loop;
    chat_client_position out[2];
    assert_ok(weir_loop_new(&loop, NULL));
    close(mkstemp(path));
    chat_client *a = client_of(loop, "ann"), *b = client_of(loop, "ann");
    assert_ok(chat_client_set_position(a, (chat_client_position){7, UINT64_MAX - 1}));
    assert_ok(chat_client_set_position(a, (chat_client_position){9, 3}));
    assert_int_equal(state_save(path, a), 0);
    assert_int_equal(state_load(path, b), 0);
    assert_int_equal(chat_client_positions(b, out, 2), 2);
    assert_int_equal(out[0].conversation, 7);
    assert_true(out[0].seq == UINT64_MAX - 1);
    assert_int_equal(out[1].seq, 3);
    unlink(path);
    close_clients(loop, a, b);
}

TEST(state, a_file_of_another_user_is_refused_and_none_is_empty)
{
    char path[] = "/tmp/weir-chat-state-XXXXXX";
    weir_loop *loop;
    assert_ok(weir_loop_new(&loop, NULL));
    close(mkstemp(path));
    chat_client *a = client_of(loop, "ann"), *b = client_of(loop, "bob");
    assert_int_equal(state_save(path, a), 0);
    assert_int_equal(state_load(path, b), EINVAL);
    FILE *file = fopen(path, "w");
    fputs("weir-chat 1 bob\n1 2\nrubbish\n", file);
    fclose(file);
    assert_int_equal(state_load(path, b), EINVAL);
    unlink(path);
    assert_int_equal(state_load(path, b), 0);
    assert_int_equal(state_save("/nowhere/at/all", a), ENOENT);
    close_clients(loop, a, b);
}
