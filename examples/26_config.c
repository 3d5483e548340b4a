/* Settings of a program that can be changed while it runs, from any machine: it says what they are,
 * and each change. A tool that sets one of them; who read version 3 says so, and is refused if it
 * has changed since.
 *
 *     26-config HOST:PORT,HOST:PORT /PATH/OF/FOLDER
 *     26-config HOST:PORT,HOST:PORT /PATH/OF/FOLDER NAME VALUE [VERSION] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

enum {
    GREETING,
    TIMEOUT,
    WORKERS,
    ITEMS
};

static const weir_zk_config_item items[ITEMS] = {
    [GREETING] = {.name = "greeting", .type = WEIR_ZK_STRING, .fallback = "Hello"},
    [TIMEOUT] = {.name = "timeout", .type = WEIR_ZK_DURATION, .fallback = "250ms"},
    [WORKERS] = {.name = "workers", .type = WEIR_ZK_INT64, .fallback = "4", .min = 1, .max = 64},
};

static void show(weir_zk_config *config, unsigned item, void *user)
{
    (void)user;
    char text[200];
    weir_zk_config_text(config, item, text, sizeof text);
    printf("%s = %s\n", items[item].name, text);
    fflush(stdout);
}

static void on_rejected(weir_zk_config *config, unsigned item, const char *why, void *user)
{
    (void)config, (void)item, (void)user;
    printf("rejected: %s\n", why);
    fflush(stdout);
}

static void on_loaded(weir_zk_config *config, void *user)
{
    (void)user;
    printf("%s! %lld workers, %.3f s\n", items[GREETING].name,
           (long long)weir_zk_config_int64(config, WORKERS),
           (double)weir_zk_config_int64(config, TIMEOUT) / 1e6);
    fflush(stdout);
}

typedef struct setter {
    weir_loop *loop;
    int status;
} setter;

static void on_set(weir_err err, const char *why, void *user)
{
    setter *t = user;
    if (err)
        fprintf(stderr, "%s\n", why);
    t->status = err != WEIR_OK;
    weir_loop_quit(t->loop);
}

static weir_err set(weir_zk_config *config, char **argv, setter *t, weir_why *why)
{
    unsigned item = 0;
    while (item < ITEMS && strcmp(items[item].name, argv[0]) != 0)
        item++;
    return weir_zk_config_set(config, item, weir_str_from(argv[1]),
                              argv[2] ? atoi(argv[2]) : WEIR_ZK_ANY_VERSION, WEIR_SECONDS(10),
                              on_set, t, why);
}

static const weir_zk_config_ops follow = {show, on_rejected, on_loaded};

int main(int argc, char **argv)
{
    setter t = {0};
    weir_zk *zk;
    weir_zk_config *config;
    weir_why why = {"26-config HOST:PORT FOLDER [NAME VALUE [VERSION]]"};
    if (argc < 3 || argc == 4 || weir_loop_new(&t.loop, NULL) ||
        weir_zk_new(&zk, t.loop, argv[1], NULL, &why) ||
        weir_zk_config_new(&config, zk, argv[2], items, ITEMS, argc == 3 ? &follow : NULL, NULL,
                           NULL, &why) ||
        (argc > 4 && set(config, argv + 3, &t, &why)) || weir_loop_run(t.loop)) {
        fprintf(stderr, "%s\n", why.text);
        return 2;
    }
    weir_zk_config_free(config);
    weir_zk_free(zk);
    weir_loop_free(t.loop);
    return t.status;
}
