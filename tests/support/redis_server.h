/**
 * @file
 * A Redis for one test case: Debian's redis-server as a child with a folder and a port of its own.
 * It may be killed, stopped and started again at the same place, and ends with the test.
 */
#ifndef WEIR_REDIS_SERVER_H
#define WEIR_REDIS_SERVER_H

#include "test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/base/time.h>

typedef struct redis_server {
    char folder[64];
    char port[8];
    int port_claim;    /* a socket, see redis_claim_port() */
    char password[32]; /* "": none */
    char url[128];     /* "redis://127.0.0.1:PORT", with the password */
    char unix_url[128];
    pid_t pid; /* 0: away */
} redis_server;

/** Other tests claim theirs alike (tests/support/real_server.py). @return a socket; -1: taken */
static inline int redis_claim_port(unsigned port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "weir-test-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    if (bind(fd, (struct sockaddr *)&name, size) == 0)
        return fd;
    close(fd);
    return -1;
}

/** Below the ports that the system gives away, so that nobody takes it while Redis is away. */
static inline void redis_take_port(redis_server *self)
{
    for (int attempt = 0; attempt < 1000; attempt++) {
        struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        unsigned port = 18000 + arc4random_uniform(14000);
        addr.sin_port = htons((uint16_t)port);
        self->port_claim = redis_claim_port(port);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool is_free =
            self->port_claim >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
        close(fd);
        if (is_free) {
            snprintf(self->port, sizeof self->port, "%u", port);
            return;
        }
        close(self->port_claim);
    }
    fail_msg("no port is free");
}

static inline void redis_server_exec(const redis_server *self)
{
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chdir(self->folder) != 0)
        _exit(126);
    execlp("redis-server", "redis-server", "--bind", "127.0.0.1", "--port", self->port,
           "--unixsocket", "socket", "--save", "", "--appendonly", "no", "--logfile", "log",
           "--requirepass", self->password, (char *)NULL);
    _exit(127);
}

/** Whether the socket answers: Redis listens when it is ready. */
static inline bool redis_server_answers(const redis_server *self)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s/socket", self->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    close(fd);
    return answers;
}

/** Starts it, at the same place as before, and returns when it serves. */
static inline void redis_server_start(redis_server *self)
{
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(20));
    self->pid = fork();
    assert_true(self->pid >= 0);
    if (self->pid == 0)
        redis_server_exec(self);
    while (!redis_server_answers(self)) {
        if (!weir_time_before(weir_time_now(), limit) || waitpid(self->pid, NULL, WNOHANG) != 0)
            fail_msg("redis-server does not start");
        usleep(2000);
    }
}

/** A place for it; nothing runs yet. @param password  NULL: none */
static inline void redis_server_prepare(redis_server *self, const char *password)
{
    *self = (redis_server){.folder = "/tmp/weir-redis-XXXXXX"};
    assert_non_null(mkdtemp(self->folder));
    redis_take_port(self);
    snprintf(self->password, sizeof self->password, "%s", password ? password : "");
    snprintf(self->url, sizeof self->url, "redis://%s%s%s127.0.0.1:%s", password ? ":" : "",
             self->password, password ? "@" : "", self->port);
    snprintf(self->unix_url, sizeof self->unix_url, "redis+unix://%s/socket", self->folder);
}

static inline void redis_server_begin(redis_server *self, const char *password)
{
    redis_server_prepare(self, password);
    redis_server_start(self);
}

/** kill -9 */
static inline void redis_server_kill(redis_server *self)
{
    if (self->pid <= 0)
        return;
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, 0);
    self->pid = 0;
}

/** SIGSTOP: it keeps its connections and answers nobody. Returns when it stands. */
static inline void redis_server_stop(redis_server *self)
{
    siginfo_t info;
    kill(self->pid, SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)self->pid, &info, WSTOPPED | WEXITED | WNOWAIT), 0);
}

static inline void redis_server_cont(redis_server *self)
{
    kill(self->pid, SIGCONT);
}

static inline void redis_server_end(redis_server *self)
{
    static const char *const files[] = {"socket", "log", "dump.rdb"};
    char path[128];
    redis_server_kill(self);
    close(self->port_claim);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", self->folder, files[i]);
        unlink(path);
    }
    rmdir(self->folder);
}

#endif
