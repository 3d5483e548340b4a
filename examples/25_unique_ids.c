/* Prints numbers that no other process gets, ever: 25-unique-ids HOST:PORT,HOST:PORT /PATH/OF/NODE
 * COUNT. ZooKeeper is asked once per thousand. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

typedef struct printer {
    weir_loop *loop;
    weir_zk_ids *ids;
    weir_zk_ids_waiter waiter;
    long count;
    int status;
} printer;

static void print_all(printer *p);

static void on_id(weir_zk_ids_waiter *waiter, weir_err err, int64_t id, const char *why, void *user)
{
    (void)waiter;
    printer *p = user;
    if (err) {
        fprintf(stderr, "%s\n", why);
        p->status = 1;
        weir_loop_quit(p->loop);
        return;
    }
    printf("%" PRId64 "\n", id);
    p->count--;
    print_all(p);
}

/** As many as there are, without asking anybody; then it waits for the next. */
static void print_all(printer *p)
{
    int64_t id;
    while (p->count > 0 && weir_zk_ids_next(p->ids, &id) == WEIR_OK) {
        printf("%" PRId64 "\n", id);
        p->count--;
    }
    if (p->count > 0)
        weir_zk_ids_wait(p->ids, &p->waiter, WEIR_SECONDS(3), on_id, p);
    else
        weir_loop_quit(p->loop);
}

static void on_start(weir_timer *timer, void *user)
{
    (void)timer;
    print_all(user);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    printer p = {.count = atol(argv[3])};
    weir_zk *zk;
    weir_timer start = {0};
    weir_why why = {"out of memory"};
    if (weir_loop_new(&p.loop, NULL) || weir_zk_new(&zk, p.loop, argv[1], NULL, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    weir_zk_ids_opts opts = {.block = 1000};
    weir_err err = weir_zk_ids_new(&p.ids, zk, argv[2], &opts);
    if (err) {
        fprintf(stderr, "%s: %s\n", argv[2], weir_err_text(err));
        return 1;
    }
    weir_loop_after(p.loop, &start, 0, on_start, &p);
    if (weir_loop_run(p.loop))
        return 1;
    weir_zk_ids_free(p.ids);
    weir_zk_free(zk);
    weir_loop_free(p.loop);
    return p.status;
}
