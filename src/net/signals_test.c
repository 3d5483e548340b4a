#include "net_test.h"

#include <weir/net/signals.h>

struct heard {
    int count, last;
    weir_signals **close_it;
};

static void hear_signal(int number, void *user)
{
    struct heard *h = user;
    h->count++;
    h->last = number;
    if (h->close_it) {
        weir_signals_close(*h->close_it);
        *h->close_it = NULL;
    }
}

static bool is_blocked(int number)
{
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    return sigismember(&now, number) == 1;
}

static weir_signals *open_signals(weir_loop *loop, struct heard *h)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    weir_signals *signals = NULL;
    assert_ok(weir_signals_open(&signals, loop, &set, hear_signal, h));
    return signals;
}

TEST(signals, they_come_through_the_loop_and_the_earlier_mask_comes_back)
{
    struct heard h = {0};
    int before = open_fds();
    weir_loop *loop = new_loop();
    weir_signals *signals = open_signals(loop, &h);
    assert_true(is_blocked(SIGTERM));
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(h.count, 0);
    run_until(loop, h.count == 1);
    assert_int_equal(h.last, SIGTERM);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    run_until(loop, h.count == 2);
    assert_int_equal(h.last, SIGHUP);
    weir_signals_close(signals);
    weir_signals_close(NULL);
    assert_false(is_blocked(SIGTERM));
    weir_loop_free(loop);
    assert_int_equal(open_fds(), before);
}

TEST(signals, they_may_be_closed_in_the_callback)
{
    struct heard h = {0};
    weir_loop *loop = new_loop();
    weir_signals *signals = open_signals(loop, &h);
    h.close_it = &signals;
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    run_until(loop, h.count == 1);
    assert_null(signals);
    assert_false(is_blocked(SIGTERM));
    weir_loop_free(loop);
}
