#include "redis_client.h"
#include "redis_server.h"
#include "run_until.h"
#include "test.h"

#include <errno.h>

/** A client, a server, and what the client has told. */
typedef struct fixture {
    weir_loop *loop;
    redis_server redis;
    redis_client *client;
    int ups, downs, pushes;
    int answers, closed, canceled;
    char text[64]; /* of the last answer */
    bool free_on_answer, free_on_down;
} fixture;

static void free_client(fixture *f)
{
    redis_client_free(f->client);
    f->client = NULL;
}

static void on_up(void *user)
{
    ((fixture *)user)->ups++;
}

static void on_down(void *user)
{
    fixture *f = user;
    f->downs++;
    assert_false(redis_client_is_up(f->client));
    if (f->free_on_down)
        free_client(f);
}

static void on_push(const redisReply *push WEIR_UNUSED, void *user)
{
    ((fixture *)user)->pushes++;
}

static void connect_to(fixture *f, const char *url, const redis_client_opts *opts)
{
    const redis_client_events events = {on_up, on_down, on_push, f};
    weir_why why = {""};
    f->loop = new_loop();
    if (redis_client_new(&f->client, f->loop, url, &events, opts, &why))
        fail_msg("%s", why.text);
}

static void begin(fixture *f)
{
    *f = (fixture){0};
    redis_server_begin(&f->redis, NULL);
    connect_to(f, f->redis.url, NULL);
    run_until(f->loop, f->ups == 1);
}

static void end(fixture *f)
{
    free_client(f);
    weir_loop_free(f->loop);
    if (f->redis.folder[0])
        redis_server_end(&f->redis);
}

static void note_answer(weir_err err, const redisReply *reply, void *user)
{
    fixture *f = user;
    f->answers++;
    f->closed += err == WEIR_ECLOSED;
    f->canceled += err == WEIR_ECANCELED;
    assert_true(err ? !reply : reply != NULL);
    weir_str text = redis_reply_text(reply);
    snprintf(f->text, sizeof f->text, "%.*s", (int)text.len, text.len ? text.ptr : "");
    if (f->free_on_answer && f->client)
        free_client(f);
}

static weir_err echo(fixture *f, const char *text)
{
    const weir_str args[] = {WEIR_STR("ECHO"), weir_str_from(text)};
    return redis_client_send(f->client, args, 2, note_answer, f);
}

TEST(redis_client, commands_are_answered_in_their_order)
{
    fixture f;
    begin(&f);
    assert_ok(echo(&f, "one"));
    assert_ok(echo(&f, "two"));
    assert_int_equal(f.answers, 0);
    run_until(f.loop, f.answers == 2);
    assert_string_equal(f.text, "two");
    end(&f);
}

TEST(redis_client, an_error_of_redis_is_an_answer)
{
    fixture f;
    const weir_str args[] = {WEIR_STR("ECHO")};
    begin(&f);
    assert_ok(redis_client_send(f.client, args, 1, note_answer, &f));
    run_until(f.loop, f.answers == 1);
    assert_non_null(strstr(f.text, "ERR wrong number of arguments"));
    assert_int_equal(f.downs, 0);
    end(&f);
}

TEST(redis_client, what_a_killed_redis_has_not_answered_is_closed)
{
    fixture f;
    begin(&f);
    redis_server_stop(&f.redis);
    assert_ok(echo(&f, "one"));
    redis_server_kill(&f.redis);
    run_until(f.loop, f.downs == 1);
    assert_int_equal(f.closed, 1);
    assert_err(echo(&f, "two"), WEIR_ECLOSED);
    redis_server_start(&f.redis);
    run_until(f.loop, f.ups == 2);
    assert_int_equal(redis_client_reconnects(f.client), 1);
    assert_ok(echo(&f, "three"));
    run_until(f.loop, f.answers == 2);
    assert_string_equal(f.text, "three");
    end(&f);
}

TEST(redis_client, a_redis_that_stands_still_is_lost)
{
    fixture f;
    begin(&f);
    redis_server_stop(&f.redis);
    weir_time begun = weir_time_now();
    run_until(f.loop, f.downs == 1); /* with nothing asked */
    assert_true(weir_time_diff(weir_time_now(), begun) < WEIR_SECONDS(20));
    redis_server_cont(&f.redis);
    run_until(f.loop, f.ups == 2);
    end(&f);
}

TEST(redis_client, an_idle_connection_stays)
{
    fixture f;
    begin(&f);
    weir_time limit = weir_time_add(weir_time_now(), WEIR_MILLISECONDS(2500));
    while (weir_time_before(weir_time_now(), limit)) /* more than a PING and its time */
        assert_ok(weir_loop_run_once(f.loop, WEIR_MILLISECONDS(50)));
    assert_int_equal(f.downs, 0);
    end(&f);
}

TEST(redis_client, the_right_password)
{
    fixture f = {0};
    redis_server_begin(&f.redis, "secret");
    connect_to(&f, f.redis.url, NULL);
    run_until(f.loop, f.ups == 1);
    assert_ok(echo(&f, "one"));
    run_until(f.loop, f.answers == 1);
    assert_string_equal(f.text, "one");
    end(&f);
}

static void never_up(const char *format)
{
    fixture f = {0};
    char url[100];
    redis_server_begin(&f.redis, "secret");
    snprintf(url, sizeof url, format, f.redis.port);
    connect_to(&f, url, NULL);
    weir_time limit = weir_time_add(weir_time_now(), WEIR_MILLISECONDS(500));
    while (weir_time_before(weir_time_now(), limit))
        assert_ok(weir_loop_run_once(f.loop, WEIR_MILLISECONDS(20)));
    assert_int_equal(f.ups + f.downs, 0);
    assert_err(echo(&f, "one"), WEIR_ECLOSED);
    end(&f);
}

TEST(redis_client, a_wrong_password_is_never_up)
{
    never_up("redis://:wrong@127.0.0.1:%s");
}

TEST(redis_client, no_password_is_never_up_either)
{
    never_up("redis://127.0.0.1:%s");
}

TEST(redis_client, a_name_and_a_unix_socket_are_found)
{
    fixture f = {0};
    char url[100];
    redis_server_begin(&f.redis, NULL);
    snprintf(url, sizeof url, "redis://localhost:%s", f.redis.port);
    connect_to(&f, url, NULL);
    run_until(f.loop, f.ups == 1);
    free_client(&f);
    weir_loop_free(f.loop);
    connect_to(&f, f.redis.unix_url, NULL);
    run_until(f.loop, f.ups == 2);
    end(&f);
}

TEST(redis_client, what_is_unanswered_is_bounded)
{
    fixture f = {0};
    redis_server_begin(&f.redis, NULL);
    connect_to(&f, f.redis.url, &(redis_client_opts){.max_unsent = 1000, .max_pending = 10});
    run_until(f.loop, f.ups == 1);
    for (int i = 0; i < 10; i++)
        assert_ok(echo(&f, "x"));
    assert_err(echo(&f, "x"), WEIR_EFULL);
    run_until(f.loop, f.answers == 10);
    char text[1000];
    memset(text, 'x', sizeof text);
    text[600] = '\0';
    assert_ok(echo(&f, text));
    assert_err(echo(&f, text), WEIR_EFULL);
    run_until(f.loop, f.answers == 11);
    end(&f);
}

TEST(redis_client, it_may_be_freed_in_an_answer)
{
    fixture f;
    begin(&f);
    f.free_on_answer = true;
    assert_ok(echo(&f, "one"));
    assert_ok(echo(&f, "two"));
    run_until(f.loop, f.answers == 2);
    assert_int_equal(f.canceled, 1); /* inside redis_client_free() */
    end(&f);
}

TEST(redis_client, it_may_be_freed_when_it_is_lost)
{
    fixture f;
    begin(&f);
    f.free_on_down = true;
    redis_server_kill(&f.redis);
    run_until(f.loop, f.downs == 1);
    for (int i = 0; i < 5; i++)
        assert_ok(weir_loop_run_once(f.loop, WEIR_MILLISECONDS(20)));
    assert_int_equal(weir_loop_timers(f.loop)->pending, 0);
    end(&f);
}

TEST(redis_client, it_may_be_freed_while_it_connects)
{
    fixture f = {0};
    redis_server_prepare(&f.redis, NULL);
    connect_to(&f, f.redis.url, NULL);
    free_client(&f);
    weir_loop_free(f.loop);
    connect_to(&f, f.redis.url, NULL);
    assert_ok(weir_loop_run_once(f.loop, WEIR_MILLISECONDS(20)));
    end(&f);
}

/* Strangers at Redis's port: a socket of the test's own. */

static int listen_at(const char *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK)},
                               .sin_port = htons((uint16_t)atoi(port))};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 10), 0);
    return fd;
}

/** The next connection is told the words, and must end; then it is tried again. */
static void stranger(const char *words, int ups)
{
    fixture f = {0};
    char byte[4096];
    int fd;
    redis_server_prepare(&f.redis, NULL);
    int server = listen_at(f.redis.port);
    connect_to(&f, f.redis.url, NULL);
    for (int round = 0; round < 2; round++) {
        run_until(f.loop, (fd = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0);
        assert_int_equal(send(fd, words, strlen(words), 0), strlen(words));
        ssize_t got;
        run_until(f.loop, (got = recv(fd, byte, sizeof byte, 0)) == 0 ||
                              (got < 0 && errno != EAGAIN && errno != EINTR));
        close(fd);
    }
    assert_int_equal(f.ups, 2 * ups);
    close(server);
    end(&f);
}

TEST(redis_client, strangers_are_left_and_tried_again)
{
    stranger("SSH-2.0-OpenSSH_9.2\r\n", 0);
    stranger("-LOADING Redis is loading the dataset in memory\r\n", 0);
    stranger("*0\r\n", 0);
    stranger("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n", 0);
    stranger("*3\r\n:1\r\n$-1\r\n*-1\r\n", 0);
    stranger("*2147483647\r\n", 0);
    stranger("", 0); /* does not answer at all */
}

TEST(redis_client, an_answer_to_nothing_ends_the_connection)
{
    stranger("+PONG\r\n+OK\r\n", 1);
}
