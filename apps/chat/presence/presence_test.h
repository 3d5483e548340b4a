/**
 * @file
 * What the tests of presence share: a node that notes what it is answered.
 */
#ifndef CHAT_PRESENCE_PRESENCE_TEST_H
#define CHAT_PRESENCE_PRESENCE_TEST_H

#include "presence.h"
#include "redis_server.h"
#include "run_until.h"
#include "test.h"

#include <weir/base/random.h>

enum {
    KEPT = 16 /* infos of an answer */
};

/** A presence and its last answer. */
typedef struct node {
    weir_loop *loop;
    presence *presence;
    int answers, canceled, closed;
    int came, went; /* changes from offline, and to it */
    weir_err err;
    uint64_t user_id;
    presence_state before, after;
    size_t count;
    presence_info infos[KEPT];
    bool close_on_answer;
} node;

static inline void note(node *n, weir_err err)
{
    n->answers++;
    n->err = err;
    n->canceled += err == WEIR_ECANCELED;
    n->closed += err == WEIR_ECLOSED;
    if (n->close_on_answer && n->presence) {
        presence *p = n->presence;
        n->presence = NULL;
        presence_close(p);
    }
}

static inline void on_changed(weir_err err, uint64_t user_id, presence_state before,
                              presence_state after, void *user)
{
    node *n = user;
    n->user_id = user_id;
    n->before = before;
    n->after = after;
    n->came += before == PRESENCE_OFFLINE && after != PRESENCE_OFFLINE;
    n->went += before != PRESENCE_OFFLINE && after == PRESENCE_OFFLINE;
    note(n, err);
}

static inline void on_infos(weir_err err, const presence_info *infos, size_t count, void *user)
{
    node *n = user;
    n->count = count;
    assert_true(!err == (infos != NULL) || count == 0);
    for (size_t i = 0; i < count && i < KEPT; i++)
        n->infos[i] = infos[i];
    note(n, err);
}

static inline void open_node(node *n, weir_loop *loop, const presence_opts *opts)
{
    weir_why why = {""};
    *n = (node){.loop = loop};
    if (presence_open(&n->presence, loop, opts, &why))
        fail_msg("%s", why.text);
}

static inline weir_err asked(node *n, uint64_t user_id)
{
    int before = n->answers;
    assert_ok(presence_get(n->presence, &user_id, 1, on_infos, n));
    assert_int_equal(n->answers, before);
    run_until(n->loop, n->answers > before);
    return n->err;
}

/** Sets, and waits for the answer: the state before and after. */
static inline void set_to(node *n, uint64_t device, presence_state state, presence_state before,
                          presence_state after)
{
    int answers = n->answers;
    assert_ok(presence_set(n->presence, 7, device, state, on_changed, n));
    assert_int_equal(n->answers, answers);
    run_until(n->loop, n->answers > answers);
    assert_ok(n->err);
    assert_int_equal(n->user_id, 7);
    assert_int_equal(n->before, before);
    assert_int_equal(n->after, after);
}

/** User 7 as this node sees it. */
static inline presence_info seen_by(node *n)
{
    assert_ok(asked(n, 7));
    assert_int_equal(n->count, 1);
    return n->infos[0];
}

#endif
