#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

/** What is printed goes to a file from now on. */
static FILE *catch_output(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    setenv("TZ", "UTC", 1);
    screen_open();
    return file;
}

static void expect_output(FILE *file, const char *expected)
{
    char got[1024];
    fflush(stdout);
    rewind(file);
    size_t len = fread(got, 1, sizeof got - 1, file);
    got[len] = 0;
    fclose(file);
    assert_string_equal(got, expected);
}

TEST(screen, messages_are_a_line_each)
{
    FILE *file = catch_output();
    screen_message(&(chat_message){.sender = WEIR_STR("ann"),
                                   .text = WEIR_STR("hello\nthere"),
                                   .time_us = WEIR_SECONDS(12 * 3600 + 1)},
                   "");
    screen_message(&(chat_message){.sender = WEIR_STR("bob\x1b[1m"),
                                   .text = WEIR_STR("\xc2\x9b\xe2\x80\xae!"),
                                   .time_us = WEIR_SECONDS(61)},
                   "lobby");
    expect_output(file, "12:00:01 <ann> hello there\n"
                        "00:01:01 [lobby] <bob\xef\xbf\xbd[1m> \xef\xbf\xbd\xef\xbf\xbd!\n");
}

TEST(screen, a_long_message_is_not_wrapped_for_a_script)
{
    char said[4096], expected[4200];
    memset(said, 'x', sizeof said);
    snprintf(expected, sizeof expected, "00:00:00 <a> %.*s\n", 900, said);
    FILE *file = catch_output();
    screen_message(&(chat_message){.sender = WEIR_STR("a"), .text = weir_str_of(said, 900)}, "");
    expect_output(file, expected);
}

TEST(screen, notifications_say_topic_type_and_sender)
{
    FILE *file = catch_output();
    screen_notification(&(chat_notification){.topic = WEIR_STR("news"),
                                             .type = CHAT_NOTIFICATION_TYPE_ALERT,
                                             .title = WEIR_STR("Fire"),
                                             .body = WEIR_STR("leave"),
                                             .sender = WEIR_STR("ann")});
    screen_notification(&(chat_notification){.type = CHAT_NOTIFICATION_TYPE_SYSTEM,
                                             .title = WEIR_STR("all is well")});
    expect_output(file, "00:00:00 [news alert] Fire: leave (ann)\n"
                        "00:00:00 [system] all is well\n");
}
