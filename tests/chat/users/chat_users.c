/* Many users of weir-chatd in one loop, for tests of a cluster:
 *   chat-users TARGET TRANSCRIPT SEED USERS MESSAGES RATE DROP_MS
 * Everybody logs in and the conversations are made. Then, by words on stdin:
 *   report   how it stands, as JSON on stdout
 *   talk     MESSAGES are said, RATE a second; every DROP_MS a user loses its client
 *   silence  nothing more is said
 *   calm     nobody loses its client any more
 *   flush    the transcript is complete; answered with a report */
#include <stdlib.h>
#include <unistd.h>

#include "users.h"

enum {
    WORDS_MAX = 256
};

static void obey(world *self, const char *word)
{
    if (strcmp(word, "talk") == 0)
        talk_start(self);
    else if (strcmp(word, "silence") == 0)
        talk_end(self);
    else if (strcmp(word, "calm") == 0)
        talk_calm(self);
    else if (strcmp(word, "flush") == 0)
        fflush(self->transcript);
    report_print(self);
}

static void on_words(weir_watcher *watcher WEIR_UNUSED, unsigned events WEIR_UNUSED, void *user)
{
    char text[WORDS_MAX + 1], *rest = NULL;
    ssize_t len = read(STDIN_FILENO, text, WORDS_MAX);
    if (len <= 0)
        exit(0);
    text[len] = 0;
    for (char *word = strtok_r(text, "\n", &rest); word; word = strtok_r(NULL, "\n", &rest))
        obey(user, word);
}

static unsigned count_of(const char *text)
{
    unsigned long value = strtoul(text, NULL, 10);
    return value < 1000000 ? (unsigned)value : 1000000;
}

static int run(world *self)
{
    weir_watcher words;
    weir_err err = weir_loop_new(&self->loop, NULL);
    if (!err) {
        weir_watcher_init(&words, self->loop, STDIN_FILENO, on_words, self);
        err = weir_watcher_want(&words, WEIR_READABLE);
    }
    if (!err) {
        setup_start(self);
        err = weir_loop_run(self->loop);
    }
    fprintf(stderr, "chat-users: %s\n", weir_err_text(err));
    return 1;
}

int main(int argc, char **argv)
{
    static world self;
    if (argc != 8) {
        fputs("usage: chat-users TARGET TRANSCRIPT SEED USERS MESSAGES RATE DROP_MS\n", stderr);
        return 2;
    }
    self.opts = (world_opts){
        .target = argv[1],
        .seed = strtoull(argv[3], NULL, 10),
        .users = count_of(argv[4]),
        .messages = count_of(argv[5]),
        .rate = count_of(argv[6]),
        .drop_us = WEIR_MILLISECONDS(count_of(argv[7])),
    };
    self.random = self.opts.seed;
    self.transcript = fopen(argv[2], "w");
    if (!self.transcript || self.opts.users < 20 || self.opts.users > 1000 || !plan_make(&self)) {
        fputs("chat-users: no such file, or not 20 to 1000 users\n", stderr);
        return 1;
    }
    return run(&self);
}
