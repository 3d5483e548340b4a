/* Very many connections to an echo server, one after the other in each thread: connect, a word, its
 * echo, close.
 *
 * usage: short_clients HOST:PORT COUNT THREADS */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/thread.h>
#include <weir/net/addr.h>

enum {
    THREADS_MAX = 64,
    HOSTS = 250
};

static weir_addr server;
static unsigned long count;

static void fail(const char *what)
{
    fprintf(stderr, "short_clients: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/** Closed connections keep their port for a minute: more addresses have more ports. */
static int connect_from(unsigned network, unsigned host)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f000000u | network << 16 | (host + 1))};
    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
        fail("bind");
    if (connect(fd, (struct sockaddr *)&server.storage, server.len) != 0)
        fail("connect");
    return fd;
}

static void run(void *user)
{
    unsigned network = *(unsigned *)user;
    for (unsigned long i = 0; i < count; i++) {
        char back[8];
        int fd = connect_from(network, (unsigned)(i % HOSTS));
        if (send(fd, "a word..", 8, MSG_NOSIGNAL) != 8 || recv(fd, back, 8, MSG_WAITALL) != 8 ||
            memcmp(back, "a word..", 8) != 0)
            fail("no echo");
        close(fd);
    }
}

int main(int argc, char **argv)
{
    unsigned long threads = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    weir_thread *running[THREADS_MAX];
    unsigned networks[THREADS_MAX];
    if (threads < 1 || threads > THREADS_MAX || weir_addr_parse(&server, argv[1], NULL)) {
        fprintf(stderr, "usage: short_clients HOST:PORT COUNT THREADS\n");
        return 2;
    }
    count = strtoul(argv[2], NULL, 10) / threads;
    for (unsigned i = 0; i < threads; i++) {
        networks[i] = i + 1;
        if (weir_thread_start(&running[i], "client", run, &networks[i]))
            fail("thread");
    }
    for (unsigned i = 0; i < threads; i++)
        weir_thread_join(running[i]);
    return EXIT_SUCCESS;
}
