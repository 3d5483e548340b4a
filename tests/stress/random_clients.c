/* Clients of an echo server that open, send, read, half-close, reset and vanish at random, and
 * compare every byte that comes back.
 *
 * usage: random_clients HOST:PORT SEED MILLISECONDS lossy|strict
 *
 * strict: a connection that the server ends first is a failure; lossy: it is not (its process may
 * be killed). Prints what was done; exit status 1 on a wrong byte or a silent server. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/net/addr.h>

enum {
    CLIENTS = 100,
    PIECE_MAX = 100000,
    AHEAD_MAX = 1 << 20, /* sent and not yet back */
    SILENCE_MS = 20000
};

typedef struct client {
    int fd; /* -1: not connected */
    uint64_t start, sent, back;
    bool half_closed;
} client;

static client clients[CLIENTS];
static weir_addr server;
static bool lossy;
static uint64_t random_state;
static struct {
    uint64_t opened, bytes, half_closed, resets, closed, lost;
} done;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

static void fail(const char *what)
{
    fprintf(stderr, "random_clients: %s (%s)\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/** The byte at a place of a client's stream. */
static unsigned char byte_at(const client *c, uint64_t at)
{
    uint64_t x = (c->start + at) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned char)(x >> 56);
}

static void forget(client *c)
{
    close(c->fd);
    c->fd = -1;
}

/** The server has ended it first. */
static void lose(client *c)
{
    if (!lossy)
        fail("the server ended a connection");
    done.lost++;
    forget(c);
}

static void open_one(client *c)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    if (connect(fd, (struct sockaddr *)&server.storage, server.len) != 0) {
        if (!lossy)
            fail("connect");
        done.lost++;
        close(fd);
        return;
    }
    /* The first byte is not 'G': this is no HTTP. */
    *c = (client){.fd = fd, .start = (uint64_t)next_random(1u << 30)};
    while (byte_at(c, 0) == 'G')
        c->start++;
    done.opened++;
}

static void send_some(client *c)
{
    static unsigned char piece[PIECE_MAX];
    if (c->half_closed || c->sent - c->back > AHEAD_MAX)
        return;
    size_t len = 1 + next_random(next_random(4) ? 300 : PIECE_MAX);
    for (size_t i = 0; i < len; i++)
        piece[i] = byte_at(c, c->sent + i);
    ssize_t n = send(c->fd, piece, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        c->sent += (uint64_t)n;
    else if (errno != EAGAIN)
        lose(c);
}

static void check(client *c, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != byte_at(c, c->back + i) || c->back + i >= c->sent)
            fail("a byte came back that was not sent there");
    c->back += len;
    done.bytes += len;
}

static void read_some(client *c)
{
    static unsigned char piece[PIECE_MAX];
    ssize_t n = recv(c->fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n > 0)
        check(c, piece, (size_t)n);
    else if (n == 0 && c->half_closed && c->back == c->sent)
        forget(c);
    else if (n == 0 || errno != EAGAIN)
        lose(c);
}

static void half_close(client *c)
{
    if (!c->half_closed) {
        shutdown(c->fd, SHUT_WR);
        c->half_closed = true;
        done.half_closed++;
    }
}

static void reset(client *c)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    forget(c);
    done.resets++;
}

static void act(client *c)
{
    if (c->fd < 0) {
        open_one(c);
        return;
    }
    uint32_t what = next_random(100);
    if (what < 55)
        send_some(c);
    else if (what < 95)
        read_some(c);
    else if (what < 97)
        half_close(c);
    else if (what < 98)
        reset(c);
    else if (what < 99) {
        forget(c);
        done.closed++;
    }
}

/** Everything that was sent comes back, and then the end. */
static void finish(client *c)
{
    if (c->fd >= 0)
        half_close(c);
    while (c->fd >= 0) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (poll(&p, 1, SILENCE_MS) != 1)
            fail("the server is silent");
        read_some(c);
    }
}

static int64_t now_ms(void)
{
    return weir_time_now().us / 1000;
}

int main(int argc, char **argv)
{
    if (argc != 5 || weir_addr_parse(&server, argv[1], NULL)) {
        fprintf(stderr, "usage: random_clients HOST:PORT SEED MILLISECONDS lossy|strict\n");
        return 2;
    }
    random_state = strtoull(argv[2], NULL, 10);
    lossy = strcmp(argv[4], "lossy") == 0;
    for (int i = 0; i < CLIENTS; i++)
        clients[i].fd = -1;
    for (int64_t end = now_ms() + strtoll(argv[3], NULL, 10); now_ms() < end;)
        for (int i = 0; i < 100; i++)
            act(&clients[next_random(CLIENTS)]);
    for (int i = 0; i < CLIENTS; i++)
        finish(&clients[i]);
    printf("opened %llu, %llu bytes back, half-closed %llu, reset %llu, closed %llu, lost %llu\n",
           (unsigned long long)done.opened, (unsigned long long)done.bytes,
           (unsigned long long)done.half_closed, (unsigned long long)done.resets,
           (unsigned long long)done.closed, (unsigned long long)done.lost);
    return EXIT_SUCCESS;
}
