/* One of several processes leads; when it ends, another one does. Start it several times, and end
 * the one that leads.
 *
 *     24-election HOST:PORT,HOST:PORT /PATH/OF/ELECTION MY-NAME */
#include <stdio.h>
#include <weir/weir.h>

static void on_elected(weir_zk_election *election, int64_t term, void *user)
{
    (void)election, (void)user;
    printf("I lead, term %lld\n", (long long)term);
}

/** From here on another one may lead: stop what only the leader does. */
static void on_deposed(weir_zk_election *election, void *user)
{
    (void)election, (void)user;
    printf("I do not lead any more\n");
}

static void on_leader(weir_zk_election *election, int64_t term, weir_str data, void *user)
{
    (void)election, (void)term, (void)user;
    printf("%.*s leads\n", WEIR_STR_ARGS(data));
}

static void on_failed(weir_zk_election *election, weir_err err, const char *why, void *user)
{
    (void)election, (void)err;
    fprintf(stderr, "%s\n", why);
    weir_loop_quit(user);
}

static const weir_zk_election_ops candidate = {
    .elected = on_elected, .deposed = on_deposed, .leader_changed = on_leader, .failed = on_failed};

static void on_signal(int number, void *user)
{
    (void)number;
    weir_loop_quit(user);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    weir_loop *loop;
    weir_signals *signals;
    weir_zk *zk;
    weir_zk_election *election;
    weir_why why = {"out of memory"};
    weir_zk_election_opts opts = {.data = weir_str_from(argv[3])};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (weir_loop_new(&loop, NULL) || weir_signals_open(&signals, loop, &set, on_signal, loop))
        return 1;
    if (weir_zk_new(&zk, loop, argv[1], NULL, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    weir_err err = weir_zk_election_new(&election, zk, argv[2], &candidate, loop, &opts);
    if (err) {
        fprintf(stderr, "%s: %s\n", argv[2], weir_err_text(err));
        return 1;
    }
    err = weir_loop_run(loop);
    weir_zk_election_free(election);
    weir_zk_free(zk);
    weir_signals_close(signals);
    weir_loop_free(loop);
    return err != WEIR_OK;
}
