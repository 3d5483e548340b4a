#include "naming_test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct seen {
    int active, lost, withdrawn;
    weir_err err;
    char why[sizeof(weir_why)];
    weir_registration *registration;
};

static void on_state(weir_registration *registration, weir_registration_state state,
                     const char *why, void *user)
{
    struct seen *s = user;
    s->active += state == WEIR_REGISTRATION_ACTIVE;
    s->lost += state == WEIR_REGISTRATION_LOST;
    s->registration = registration;
    snprintf(s->why, sizeof s->why, "%s", why);
}

static void on_withdrawn(weir_err err, const char *why, void *user)
{
    struct seen *s = user;
    s->withdrawn++;
    s->err = err;
    snprintf(s->why, sizeof s->why, "%s", why);
}

struct setting {
    weir_loop *loop;
    weir_registry *registry;
    struct seen seen;
    struct told told;
    int fds;
};

static weir_registry *open_at(weir_loop *loop, const char *folder)
{
    char target[600];
    weir_registry *registry = NULL;
    snprintf(target, sizeof target, "file://%s", folder);
    assert_ok(weir_registry_open(&registry, loop, target, NULL, NULL));
    return registry;
}

static void set_up(struct setting *s)
{
    make_test_folder();
    s->loop = new_loop();
    s->fds = open_fds();
    s->registry = open_at(s->loop, in_folder("services"));
}

static void tear_down(struct setting *s)
{
    weir_registry_free(s->registry);
    assert_int_equal(weir_loop_timers(s->loop)->pending, 0);
    assert_int_equal(open_fds(), s->fds);
    weir_loop_free(s->loop);
    remove_test_folder();
}

static const weir_endpoint here = {.address = {"10.0.0.1:80", 11}, .weight = 3};

static weir_registration *add(struct setting *s, const char *service, const weir_endpoint *endpoint)
{
    weir_registration *registration = NULL;
    weir_why why = {""};
    if (weir_registry_add(&registration, s->registry, service, endpoint, on_state, &s->seen, &why))
        fail_msg("%s", why.text);
    return registration;
}

/** The name of the only file in a folder of the registry. */
static const char *only_file(const char *folder)
{
    static char path[800];
    DIR *dir = opendir(in_folder(folder));
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            snprintf(path, sizeof path, "%s/%s", in_folder(folder), entry->d_name);
    closedir(dir);
    return path;
}

TEST(registry, what_is_registered_is_found_until_it_is_withdrawn)
{
    struct setting s = {0};
    set_up(&s);
    weir_registration *r = add(&s, "chat.Room", &here);
    assert_int_equal(weir_registration_state_of(r), WEIR_REGISTRATION_PENDING);
    run_until(s.loop, s.seen.active == 1);
    assert_ptr_equal(s.seen.registration, r);
    assert_int_equal(weir_registration_endpoint(r)->weight, 3);
    weir_resolver *resolver =
        follow(&weir_resolver_file, s.loop, "", in_folder("services/chat.Room"), &s.told);
    run_until(s.loop, has_found(&s.told, "10.0.0.1:80"));
    assert_int_equal(weir_endpoints_at(s.told.list, 0)->weight, 3);
    weir_registry_withdraw(r, on_withdrawn, &s.seen);
    assert_int_equal(s.seen.withdrawn, 0);
    run_until(s.loop, s.seen.withdrawn == 1);
    assert_ok(s.seen.err);
    assert_int_equal(count_files("services/chat.Room"), 0);
    run_until(s.loop, has_found(&s.told, ""));
    assert_int_equal(s.seen.lost, 0);
    follow_no_more(resolver, &s.told);
    tear_down(&s);
}

TEST(registry, properties_change_in_one_step)
{
    struct setting s = {0};
    set_up(&s);
    weir_registration *r = add(&s, "chat.Room", &here);
    weir_endpoint next = {.address = here.address, .weight = 9, .zone = WEIR_STR("north")};
    weir_resolver *resolver =
        follow(&weir_resolver_file, s.loop, "", in_folder("services/chat.Room"), &s.told);
    run_until(s.loop, has_found(&s.told, "10.0.0.1:80"));
    assert_ok(weir_registration_update(r, &next, NULL));
    run_until(s.loop, weir_endpoints_at(s.told.list, 0)->weight == 9);
    assert_str(weir_endpoints_at(s.told.list, 0)->zone, "north");
    assert_int_equal(count_files("services/chat.Room"), 1);
    /* What is refused leaves what was there. */
    next.metadata = WEIR_STR("[]");
    assert_err(weir_registration_update(r, &next, NULL), WEIR_EINVAL);
    assert_int_equal(weir_registration_endpoint(r)->metadata.len, 0);
    assert_int_equal(s.seen.active, 1);
    follow_no_more(resolver, &s.told);
    tear_down(&s);
    assert_int_equal(count_files("services/chat.Room"), 0);
}

TEST(registry, what_somebody_removes_is_put_back)
{
    struct setting s = {0};
    set_up(&s);
    add(&s, "chat.Room", &here);
    run_until(s.loop, s.seen.active == 1);
    assert_int_equal(unlink(only_file("services/chat.Room")), 0);
    run_until(s.loop, count_files("services/chat.Room") == 1);
    assert_int_equal(s.seen.lost, 0);
    tear_down(&s);
}

TEST(registry, a_registry_that_is_away_is_tried_until_it_is_back)
{
    struct setting s = {0};
    set_up(&s);
    weir_registry *other = open_at(s.loop, in_folder("not/yet"));
    weir_registration *r;
    assert_ok(weir_registry_add(&r, other, "chat.Room", &here, on_state, &s.seen, NULL));
    run_until(s.loop, s.seen.lost == 1);
    assert_says(s.seen.why, "not/yet: No such file or directory");
    assert_int_equal(mkdir(in_folder("not"), 0700), 0);
    run_until(s.loop, s.seen.active == 1);
    assert_string_equal(s.seen.why, "");
    weir_registry_free(other);
    assert_int_equal(count_files("not/yet/chat.Room"), 0);
    tear_down(&s);
}

/** A process of its own, which registers and then waits to be killed. */
static pid_t start_other(const char *folder, int *ready)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct seen seen = {0};
        weir_registration *r;
        weir_loop *loop = new_loop();
        weir_endpoint there = {.address = WEIR_STR("10.0.0.2:80")};
        assert_ok(weir_registry_add(&r, open_at(loop, folder), "chat.Room", &there, on_state, &seen,
                                    NULL));
        run_until(loop, seen.active == 1);
        if (write(ends[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    assert_true(pid > 0);
    close(ends[1]);
    *ready = ends[0];
    return pid;
}

TEST(registry, what_a_killed_process_leaves_behind_does_not_count_and_is_swept_up)
{
    struct setting s = {0};
    char c;
    int ready, status;
    set_up(&s);
    pid_t pid = start_other(in_folder("services"), &ready);
    assert_int_equal(read(ready, &c, 1), 1);
    close(ready);
    weir_resolver *resolver =
        follow(&weir_resolver_file, s.loop, "", in_folder("services/chat.Room"), &s.told);
    run_until(s.loop, has_found(&s.told, "10.0.0.2:80"));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    run_until(s.loop, has_found(&s.told, ""));
    assert_int_equal(count_files("services/chat.Room"), 1);
    add(&s, "chat.Room", &here);
    run_until(s.loop, has_found(&s.told, "10.0.0.1:80"));
    assert_int_equal(count_files("services/chat.Room"), 1);
    follow_no_more(resolver, &s.told);
    tear_down(&s);
}

TEST(registry, one_process_does_not_sweep_up_what_another_one_has)
{
    struct setting s = {0};
    char c;
    int ready, status;
    set_up(&s);
    pid_t pid = start_other(in_folder("services"), &ready);
    assert_int_equal(read(ready, &c, 1), 1);
    close(ready);
    add(&s, "chat.Room", &here);
    run_until(s.loop, s.seen.active == 1);
    assert_int_equal(count_files("services/chat.Room"), 2);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    tear_down(&s);
}

TEST(registry, all_are_withdrawn_together)
{
    struct setting s = {0};
    char name[32];
    set_up(&s);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "svc.S%d", i % 7);
        add(&s, name, &here);
    }
    weir_registry_withdraw(add(&s, "svc.Last", &here), on_withdrawn, &s.seen);
    run_until(s.loop, s.seen.active == 50);
    assert_int_equal(count_files("services/svc.S0"), 8);
    weir_registry_withdraw_all(s.registry, on_withdrawn, &s.seen);
    run_until(s.loop, s.seen.withdrawn == 2);
    assert_ok(s.seen.err);
    assert_int_equal(count_files("services/svc.S0"), 0);
    tear_down(&s);
}

static void free_registry(weir_err err, const char *why, void *user)
{
    struct setting *s = user;
    on_withdrawn(err, why, &s->seen);
    weir_registry_free(s->registry);
    s->registry = NULL;
}

TEST(registry, may_be_freed_when_all_are_gone)
{
    struct setting s = {0};
    set_up(&s);
    weir_registry_withdraw_all(s.registry, free_registry, &s);
    assert_int_equal(s.seen.withdrawn, 0);
    run_until(s.loop, s.seen.withdrawn == 1);
    tear_down(&s);
}

TEST(registry, what_cannot_work_is_refused_with_a_sentence)
{
    static const struct {
        const char *service, *address, *metadata, *says;
    } bad[] = {
        {"", "a:1", "", "no name of a service"},
        {"../x", "a:1", "", "no name of a service"},
        {".x", "a:1", "", "no name of a service"},
        {"a/b", "a:1", "", "no name of a service"},
        {"s", "", "", "write HOST:PORT"},
        {"s", "host", "", "write HOST:PORT"},
        {"s", "0.0.0.0:80", "", "nobody can connect to \"0.0.0.0:80\""},
        {"s", "[::]:80", "", "nobody can connect"},
        {"s", "host:0", "", "nobody can connect to port 0"},
        {"s", "\xff:1", "", "write HOST:PORT"},
        {"s", "a:1", "[1]", "the metadata is no JSON object"},
    };
    struct setting s = {0};
    set_up(&s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir_registration *r = NULL;
        weir_why why = {""};
        weir_endpoint e = {.address = weir_str_from(bad[i].address),
                           .metadata = weir_str_from(bad[i].metadata)};
        assert_err(weir_registry_add(&r, s.registry, bad[i].service, &e, NULL, NULL, &why),
                   WEIR_EINVAL);
        assert_says(why.text, bad[i].says);
        assert_null(r);
    }
    tear_down(&s);
}

TEST(registry, targets_of_another_form_are_refused)
{
    static const struct {
        const char *target, *says;
    } bad[] = {
        {"", "is no registry that is known"},
        {"/run/x", "is no registry that is known"},
        {"zk://h:1/x", "is no registry that is known"},
        {"file://host/x", "names a host"},
        {"file://x", "has no \"/\""},
    };
    struct setting s = {0};
    set_up(&s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir_registry *registry = NULL;
        weir_why why = {""};
        assert_err(weir_registry_open(&registry, s.loop, bad[i].target, NULL, &why), WEIR_EINVAL);
        assert_says(why.text, bad[i].says);
        assert_null(registry);
    }
    tear_down(&s);
}

/* From other threads. */

static void *register_from_outside(void *user)
{
    struct setting *s = user;
    weir_endpoint bad = {.address = WEIR_STR("nowhere")};
    assert_ok(weir_registry_add_post(s->registry, "chat.Room", &here, on_state, &s->seen));
    assert_ok(weir_registry_add_post(s->registry, "chat.Room", &bad, on_state, &s->seen));
    assert_ok(weir_registry_withdraw_all_post(s->registry, on_withdrawn, &s->seen));
    return NULL;
}

TEST(registry, other_threads_register_and_withdraw)
{
    struct setting s = {0};
    pthread_t thread;
    set_up(&s);
    assert_int_equal(pthread_create(&thread, NULL, register_from_outside, &s), 0);
    run_until(s.loop, s.seen.withdrawn == 1);
    pthread_join(thread, NULL);
    assert_int_equal(s.seen.lost, 1);
    assert_int_equal(count_files("services/chat.Room"), 0);
    tear_down(&s);
}
