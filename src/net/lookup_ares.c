/* One c-ares channel per lookup. c-ares 1.18 cannot cancel a single question, only all those of a
 * channel, and it must not be closed from its own callbacks; so those only note the answer, and the
 * lookup closes the channel in a turn's callback of its own. */
#include "lookup_ares.h"

#include <ares.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <weir/net/watcher.h>

enum {
    SOCKETS = 16, /* c-ares has one or two for each server that it has asked */
    TRIES = 4,
    UDP_BYTES = 1232 /* fits every path unfragmented; longer answers come over TCP */
};

#define QUERY_MAX_US WEIR_SECONDS(3600)

/* c-ares's letters */
#define HOSTS_FILE   'f'
#define NAME_SERVERS 'b'

struct weir__questions {
    weir_loop *loop;
    ares_channel channel;
    weir_timer retry; /* c-ares wants to look at its clock */
    weir_watcher sockets[SOCKETS];
    weir__answers *answers;
    weir__answered_fn answered;
    void *user;
    bool closing;
};

/* Answers */

static weir_err err_from_ares(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return WEIR_OK;
    case ARES_ENOMEM:
        return WEIR_ENOMEM;
    case ARES_ETIMEOUT:
        return WEIR_ETIMEDOUT;
    default:
        return WEIR_ELOOKUP;
    }
}

/** IPv6 goes before what is there of IPv4. */
static void insert(weir__answers *answers, size_t at, const struct ares_addrinfo_node *node)
{
    weir_addr *slot = &answers->addrs[at];
    if (node->ai_addrlen > sizeof slot->storage)
        return;
    memmove(slot + 1, slot, (answers->count - at) * sizeof *slot);
    *slot = (weir_addr){.len = node->ai_addrlen};
    memcpy(&slot->storage, node->ai_addr, node->ai_addrlen);
    answers->count++;
}

/** Half of the room is kept for each family. */
static void add_family(weir__answers *answers, const struct ares_addrinfo *info, int family)
{
    size_t at = family == AF_INET6 ? 0 : answers->count, added = 0;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        if (node->ai_family == family && added < WEIR_LOOKUP_MAX / 2) {
            insert(answers, at + added, node);
            added++;
        }
}

/** A silent server weighs more than one that knows no such name: asking again may help. */
static void take_answer(weir__answers *answers, int status, struct ares_addrinfo *info)
{
    weir_err err = err_from_ares(status);
    size_t before = answers->count;
    if (!err && info) {
        add_family(answers, info, AF_INET6);
        add_family(answers, info, AF_INET);
    }
    if (!err && answers->count == before)
        err = WEIR_ELOOKUP;
    if (err && (!answers->err || answers->err == WEIR_ELOOKUP))
        answers->err = err;
    if (info)
        ares_freeaddrinfo(info);
}

/** @param source  HOSTS_FILE or NAME_SERVERS */
static weir_err open_channel(ares_channel *out, struct ares_options *options, int mask, char source)
{
    char lookups[] = {source, '\0'};
    options->lookups = lookups;
    return err_from_ares(ares_init_options(out, options, mask | ARES_OPT_LOOKUPS));
}

/* /etc/hosts */

static void on_hosts(void *user, int status, int timeouts WEIR_UNUSED, struct ares_addrinfo *info)
{
    take_answer(user, status, info);
}

weir_err weir__hosts_find(const char *host, weir__answers *answers)
{
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                                     .ai_socktype = SOCK_STREAM};
    struct ares_options options = {0};
    ares_channel channel;
    weir_err err = open_channel(&channel, &options, 0, HOSTS_FILE);
    if (err)
        return err;
    ares_getaddrinfo(channel, host, NULL, &hints, on_hosts, answers);
    ares_destroy(channel);
    err = answers->count > 0 ? WEIR_OK : answers->err;
    answers->err = WEIR_OK;
    return err;
}

/* Name servers */

static void on_answer(void *user, int status, int timeouts WEIR_UNUSED, struct ares_addrinfo *info)
{
    weir__questions *questions = user;
    if (questions->closing) {
        if (info)
            ares_freeaddrinfo(info);
        return;
    }
    take_answer(questions->answers, status, info);
    questions->answers->open--;
    questions->answered(questions->user);
}

static void process(weir__questions *questions, ares_socket_t readable, ares_socket_t writable);

static void on_retry(weir_timer *timer WEIR_UNUSED, void *user)
{
    process(user, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void start_retry(weir__questions *questions)
{
    struct timeval wait;
    if (ares_timeout(questions->channel, NULL, &wait))
        weir_loop_after(questions->loop, &questions->retry,
                        WEIR_SECONDS(wait.tv_sec) + wait.tv_usec, on_retry, questions);
    else
        weir_loop_cancel(questions->loop, &questions->retry);
}

static void process(weir__questions *questions, ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(questions->channel, readable, writable);
    start_retry(questions);
}

static void on_ready(weir_watcher *watcher, unsigned events, void *user)
{
    process(user, events & WEIR_READABLE ? watcher->fd : ARES_SOCKET_BAD,
            events & WEIR_WRITABLE ? watcher->fd : ARES_SOCKET_BAD);
}

/** The watcher of `fd`, or an unused one for -1; NULL: none. */
static weir_watcher *watcher_of(weir__questions *questions, int fd)
{
    for (size_t i = 0; i < SOCKETS; i++)
        if (questions->sockets[i].fd == fd)
            return &questions->sockets[i];
    return NULL;
}

/** A socket that cannot be watched stays silent: c-ares then times out and asks elsewhere. */
static void on_socket(void *user, ares_socket_t fd, int readable, int writable)
{
    weir__questions *questions = user;
    weir_watcher *watcher = watcher_of(questions, fd);
    if (!readable && !writable) {
        if (watcher) {
            weir_watcher_stop(watcher);
            watcher->fd = -1;
        }
        return;
    }
    if (!watcher) {
        watcher = watcher_of(questions, -1);
        if (!watcher)
            return;
        watcher->fd = fd;
    }
    (void)!weir_watcher_want(watcher, (readable ? (unsigned)WEIR_READABLE : 0U) |
                                          (writable ? (unsigned)WEIR_WRITABLE : 0U));
}

static weir_err open_questions(weir__questions *questions, const weir_lookup_opts *opts)
{
    int64_t query_us = opts->query_us < QUERY_MAX_US ? opts->query_us : QUERY_MAX_US;
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS,
        .ednspsz = UDP_BYTES,
        .timeout = (int)(query_us / 1000) + 1,
        .tries = TRIES,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = questions,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_SOCK_STATE_CB;
    weir_err err = open_channel(&questions->channel, &options, mask, NAME_SERVERS);
    if (err || !opts->servers)
        return err;
    int status = ares_set_servers_ports_csv(questions->channel, opts->servers);
    if (status == ARES_SUCCESS)
        return WEIR_OK;
    ares_destroy(questions->channel);
    return status == ARES_ENOMEM ? WEIR_ENOMEM : WEIR_EINVAL;
}

static void ask(weir__questions *questions, const char *host, int family)
{
    struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(questions->channel, host, NULL, &hints, on_answer, questions);
}

weir_err weir__questions_ask(weir__questions **out, weir_loop *loop, const char *host,
                             const weir_lookup_opts *opts, weir__answers *answers,
                             weir__answered_fn fn, void *user)
{
    weir__questions *questions = calloc(1, sizeof *questions);
    if (!questions)
        return WEIR_ENOMEM;
    questions->loop = loop;
    questions->answers = answers;
    questions->answered = fn;
    questions->user = user;
    for (size_t i = 0; i < SOCKETS; i++)
        weir_watcher_init(&questions->sockets[i], loop, -1, on_ready, questions);
    weir_err err = open_questions(questions, opts);
    if (err) {
        free(questions);
        return err;
    }
    answers->open = 2;
    ask(questions, host, AF_INET6);
    ask(questions, host, AF_INET);
    start_retry(questions);
    *out = questions;
    return WEIR_OK;
}

void weir__questions_close(weir__questions *questions)
{
    if (!questions)
        return;
    questions->closing = true;
    ares_destroy(questions->channel);
    weir_loop_cancel(questions->loop, &questions->retry);
    free(questions);
}
