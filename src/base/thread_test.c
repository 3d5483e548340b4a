#include "test.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/base/thread.h>

typedef struct seen {
    int id;
    char name[16];
    sigset_t blocked;
} seen;

static void look(void *user)
{
    seen *s = user;
    s->id = weir_thread_id();
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
    pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
}

TEST(thread, a_thread_has_its_id_its_name_and_no_signals)
{
    weir_thread *thread;
    seen s = {0};
    assert_ok(weir_thread_start(&thread, "a-name-that-is-too-long", look, &s));
    weir_thread_join(thread);
    weir_thread_join(NULL);
    assert_int_not_equal(s.id, 0);
    assert_int_not_equal(s.id, weir_thread_id());
    assert_string_equal(s.name, "a-name-that-is-");
    assert_true(sigismember(&s.blocked, SIGTERM));
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_false(sigismember(&mine, SIGTERM));
}

TEST(thread, a_forked_child_knows_its_own_id)
{
    assert_int_equal(weir_thread_id(), (int)syscall(SYS_gettid));
    pid_t child = fork();
    if (child == 0)
        _exit(weir_thread_id() == (int)syscall(SYS_gettid) ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void count_down(void *user)
{
    weir_latch_down(user);
}

TEST(thread, a_latch_opens_when_it_has_been_counted_down)
{
    weir_latch latch;
    weir_thread *threads[3];
    weir_latch_init(&latch, 3);
    assert_false(weir_latch_wait_until(&latch, weir_time_now()));
    assert_false(weir_latch_wait_until(&latch, (weir_time){-1}));
    for (int i = 0; i < 3; i++)
        assert_ok(weir_thread_start(&threads[i], "down", count_down, &latch));
    weir_latch_wait(&latch);
    assert_true(weir_latch_wait_until(&latch, weir_time_never()));
    for (int i = 0; i < 3; i++)
        weir_thread_join(threads[i]);
    weir_latch_down(&latch);
    assert_true(weir_latch_wait_until(&latch, weir_time_now()));
    weir_latch_fini(&latch);
}

TEST(thread, a_latch_waits_no_longer_than_it_is_told)
{
    weir_latch latch;
    weir_latch_init(&latch, 1);
    weir_time deadline = weir_time_add(weir_time_now(), WEIR_MILLISECONDS(5));
    assert_false(weir_latch_wait_until(&latch, deadline));
    assert_false(weir_time_before(weir_time_now(), deadline));
    weir_latch_fini(&latch);
}
