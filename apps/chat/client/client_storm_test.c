/* Everything at once, by a seed: streams that end, messages that are lost, late or doubled,
 * refusals, silence, drains and tokens that expire. When it is over, everything was shown once and
 * in order. */
#include "chat_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "fake_server.h"

enum {
    STORM_TICKS = 800, /* of a millisecond */
    CONVERSATIONS = 3,
};

typedef struct storm {
    weir_loop *loop;
    fake_server *server;
    chat_client *client;
    weir_ticker ticker;
    uint64_t random;
    unsigned ticks;
    unsigned said, sent;
    uint64_t shown[CONVERSATIONS + 1]; /* by id: the last seq */
} storm;

static void on_message(chat_client *client, const chat_message *m, void *user)
{
    (void)client;
    storm *s = user;
    assert_in_range(m->conversation, 1, CONVERSATIONS);
    assert_int_equal(m->seq, s->shown[m->conversation] + 1);
    s->shown[m->conversation] = m->seq;
}

static void on_sent(chat_client *client, const chat_sent *sent, void *user)
{
    (void)client;
    (void)sent;
    ((storm *)user)->sent++;
}

static void on_failed(chat_client *client, const chat_send_failed *failed, void *user)
{
    (void)client;
    (void)user;
    fail_msg("%u", failed->code);
}

static const chat_client_events events = {
    .message = on_message, .sent = on_sent, .failed = on_failed};

static bool chance(storm *s, uint32_t per_thousand)
{
    return weir_random_below(&s->random, 1000) < per_thousand;
}

/** Bob says something; its push may be lost, doubled, or an older one again. */
static void bob_speaks(storm *s)
{
    uint64_t id = 1 + weir_random_below(&s->random, CONVERSATIONS);
    fake_conversation *c = fake_get(s->server, id);
    if (c->len + 400 > FAKE_MESSAGES)
        return;
    fake_fill(s->server, id, 1 + weir_random_below(&s->random, 2));
    for (unsigned i = weir_random_below(&s->random, 4); i > 0; i--) {
        uint64_t back = weir_random_below(&s->random, 5);
        if (back < c->len)
            fake_push(s->server, id, c->len - back);
    }
}

static void ann_speaks(storm *s)
{
    static const char *const names[] = {"lobby", "bob"};
    char text[16];
    bool direct = chance(s, 500);
    snprintf(text, sizeof text, "%06u", s->said++);
    weir_err err = direct ? chat_client_send_to_user(s->client, weir_str_from(names[1]),
                                                     weir_str_from(text), NULL, NULL)
                          : chat_client_send_to_room(s->client, weir_str_from(names[0]),
                                                     weir_str_from(text), NULL, NULL);
    assert_ok(err);
}

static void misbehave(storm *s)
{
    fake_server *f = s->server;
    if (chance(s, 10))
        fake_hang_up(f);
    if (chance(s, 60)) {
        f->fate = (fake_fate)weir_random_below(&s->random, FAKE_REFUSES + 1);
        f->fate_count = 1 + weir_random_below(&s->random, 3);
        f->refuse_code = chance(s, 500) ? WEIR_STATUS_UNAVAILABLE : WEIR_STATUS_RESOURCE_EXHAUSTED;
    }
    if (chance(s, 20))
        f->pull_code = f->pull_code ? WEIR_STATUS_OK : WEIR_STATUS_UNAVAILABLE;
    if (chance(s, 10))
        f->mute = !f->mute;
    if (chance(s, 5))
        fake_drain(f, 1);
    if (chance(s, 5))
        f->token++;
    if (chance(s, 10))
        fake_heads(f, 3);
    f->pushes = chance(s, 500);
    f->sync_limit = 1 + weir_random_below(&s->random, 20);
}

static void calm(fake_server *f)
{
    f->fate_count = 0;
    f->pull_code = WEIR_STATUS_OK;
    f->mute = false;
}

static void on_tick(weir_ticker *ticker, void *user)
{
    storm *s = user;
    if (++s->ticks > STORM_TICKS) {
        weir_ticker_stop(ticker);
        calm(s->server);
        return;
    }
    if (chance(s, 300))
        bob_speaks(s);
    if (chance(s, 200))
        ann_speaks(s);
    misbehave(s);
}

static bool is_over(const storm *s)
{
    bool over = s->ticks > STORM_TICKS && s->sent == s->said;
    for (uint64_t id = 1; id <= CONVERSATIONS; id++)
        over = over && s->shown[id] == fake_get(s->server, id)->len;
    return over;
}

/** What Ann said is there once, in her order. */
static void check_store(const storm *s)
{
    unsigned found = 0;
    for (uint64_t id = 1; id <= CONVERSATIONS; id++) {
        const fake_conversation *c = fake_get(s->server, id);
        const char *last = "";
        for (size_t i = 0; i < c->len; i++) {
            if (strcmp(c->messages[i].sender, "ann") != 0)
                continue;
            assert_true(strcmp(c->messages[i].text, last) > 0);
            last = c->messages[i].text;
            found++;
        }
    }
    assert_int_equal(found, s->said);
}

static void open_storm(storm *s, uint64_t seed)
{
    *s = (storm){.random = seed, .server = calloc(1, sizeof *s->server)};
    assert_ok(weir_loop_new(&s->loop, NULL));
    s->server->loop = s->loop;
    s->server->account = true;
    fake_add(s->server, 1, CHAT_CONVERSATION_KIND_ROOM, "lobby");
    fake_add(s->server, 2, CHAT_CONVERSATION_KIND_DIRECT, "bob");
    fake_add(s->server, 3, CHAT_CONVERSATION_KIND_GROUP, "");
    fake_listen(s->server, "127.0.0.1:0");
    chat_client_opts opts = {.target = s->server->addr,
                             .name = "ann",
                             .password = "secret12",
                             .seed = seed,
                             .answer_us = WEIR_MILLISECONDS(30),
                             .silence_us = WEIR_MILLISECONDS(40),
                             .heads_us = WEIR_MILLISECONDS(50),
                             .gap_us = WEIR_MILLISECONDS(5),
                             .mark_us = WEIR_MILLISECONDS(5),
                             .backoff_us = WEIR_MILLISECONDS(2),
                             .backoff_max_us = WEIR_MILLISECONDS(20),
                             .held_max = 4};
    assert_ok(chat_client_new(&s->client, s->loop, &opts, &events, s));
    chat_client_start(s->client);
    weir_ticker_start(&s->ticker, s->loop, WEIR_MILLISECONDS(1), on_tick, s);
}

static void run_storm(uint64_t seed)
{
    storm s;
    open_storm(&s, seed);
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(60));
    while (!is_over(&s)) {
        assert_ok(weir_loop_run_once(s.loop, WEIR_MILLISECONDS(50)));
        if (!weir_time_before(weir_time_now(), limit))
            fail_msg("seed %d: said %u, sent %u, shown %d of %d, %d of %d, %d of %d", (int)seed,
                     s.said, s.sent, (int)s.shown[1], (int)fake_get(s.server, 1)->len,
                     (int)s.shown[2], (int)fake_get(s.server, 2)->len, (int)s.shown[3],
                     (int)fake_get(s.server, 3)->len);
    }
    check_store(&s);
    chat_client_free(s.client);
    weir_server_stop(s.server->server, fake_stopped, s.server);
    while (!s.server->stopped)
        assert_ok(weir_loop_run_once(s.loop, WEIR_MILLISECONDS(50)));
    weir_server_free(s.server->server);
    assert_ok(weir_loop_run_once(s.loop, 0));
    weir_loop_free(s.loop);
    free(s.server);
}

TEST(client_storm, seed_1)
{
    run_storm(1);
}

TEST(client_storm, seed_2)
{
    run_storm(2);
}

TEST(client_storm, seed_3)
{
    run_storm(3);
}
