#include "net_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <weir/net/watcher.h>

struct seen {
    int count;
    unsigned events;
    weir_watcher *stop; /* in the callback */
};

static void note(weir_watcher *watcher WEIR_UNUSED, unsigned events, void *user)
{
    struct seen *seen = user;
    seen->count++;
    seen->events = events;
    if (seen->stop)
        weir_watcher_stop(seen->stop);
}

TEST(watcher, it_tells_until_the_bytes_are_taken)
{
    int fds[2];
    char byte;
    struct seen seen = {0};
    weir_loop *loop = new_loop();
    weir_watcher w;
    socket_pair(SOCK_STREAM, fds);
    weir_watcher_init(&w, loop, fds[0], note, &seen);
    assert_ok(weir_watcher_want(&w, WEIR_READABLE));
    settle(loop);
    assert_int_equal(seen.count, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_ok(weir_loop_run_once(loop, -1));
    assert_ok(weir_loop_run_once(loop, -1));
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.events, WEIR_READABLE);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    settle(loop);
    assert_int_equal(seen.count, 2);
    weir_watcher_stop(&w);
    weir_watcher_stop(&w);
    weir_loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

static void note_time(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    char byte;
    assert_int_equal(read(watcher->fd, &byte, 1), 1);
    *(weir_time *)user = weir_timers_now(weir_loop_timers(watcher->loop));
}

TEST(watcher, its_callback_sees_the_timers_of_this_turn_however_long_the_loop_was_silent)
{
    int fds[2];
    weir_time seen = {0};
    weir_loop *loop = new_loop();
    weir_watcher w;
    socket_pair(SOCK_STREAM, fds);
    weir_watcher_init(&w, loop, fds[0], note_time, &seen);
    assert_ok(weir_watcher_want(&w, WEIR_READABLE));
    settle(loop);
    weir_time later = weir_time_add(weir_time_now(), WEIR_MILLISECONDS(5));
    while (weir_time_before(weir_time_now(), later))
        continue;
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_ok(weir_loop_run_once(loop, -1));
    assert_false(weir_time_before(seen, later));
    weir_watcher_stop(&w);
    weir_loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

TEST(watcher, wanted_events_can_be_changed_and_silenced)
{
    int fds[2];
    struct seen seen = {0};
    weir_loop *loop = new_loop();
    weir_watcher w;
    socket_pair(SOCK_STREAM, fds);
    weir_watcher_init(&w, loop, fds[0], note, &seen);
    assert_ok(weir_watcher_want(&w, WEIR_WRITABLE));
    assert_ok(weir_loop_run_once(loop, -1));
    assert_int_equal(seen.events, WEIR_WRITABLE);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_ok(weir_watcher_want(&w, WEIR_READABLE | WEIR_WRITABLE));
    assert_ok(weir_loop_run_once(loop, -1));
    assert_int_equal(seen.events, WEIR_READABLE | WEIR_WRITABLE);
    assert_ok(weir_watcher_want(&w, 0));
    close(fds[1]); /* a hang-up is not told either */
    seen.count = 0;
    settle(loop);
    assert_int_equal(seen.count, 0);
    assert_ok(weir_watcher_want(&w, WEIR_WRITABLE));
    assert_ok(weir_loop_run_once(loop, -1));
    assert_int_equal(seen.events, WEIR_WRITABLE);
    weir_watcher_stop(&w);
    weir_loop_free(loop);
    close(fds[0]);
}

TEST(watcher, one_stopped_by_another_ones_callback_is_not_called_any_more)
{
    int a[2], b[2];
    struct seen seen_a = {0}, seen_b = {0};
    weir_loop *loop = new_loop();
    weir_watcher *wa = malloc(sizeof *wa), *wb = malloc(sizeof *wb);
    socket_pair(SOCK_STREAM, a);
    socket_pair(SOCK_STREAM, b);
    weir_watcher_init(wa, loop, a[0], note, &seen_a);
    weir_watcher_init(wb, loop, b[0], note, &seen_b);
    seen_a.stop = wb;
    seen_b.stop = wa;
    assert_ok(weir_watcher_want(wa, WEIR_WRITABLE));
    assert_ok(weir_watcher_want(wb, WEIR_WRITABLE));
    assert_ok(weir_loop_run_once(loop, -1));
    assert_int_equal(seen_a.count + seen_b.count, 1);
    weir_watcher_stop(wa);
    weir_watcher_stop(wb);
    free(wa);
    free(wb);
    weir_loop_free(loop);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

TEST(watcher, a_plain_file_cannot_be_waited_for)
{
    struct seen seen = {0};
    weir_loop *loop = new_loop();
    weir_watcher w;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    weir_watcher_init(&w, loop, fd, note, &seen);
    assert_err(weir_watcher_want(&w, WEIR_READABLE), WEIR_EINVAL);
    weir_watcher_stop(&w);
    close(fd);
    weir_loop_free(loop);
}
