#include "listen_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 4096
};

static bool is_unix_path(const weir_addr *addr)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)&addr->storage;
    return addr->storage.ss_family == AF_UNIX && sun->sun_path[0] != '\0';
}

static void remove_path(const weir_addr *addr)
{
    unlink(((const struct sockaddr_un *)&addr->storage)->sun_path);
}

/** Whether the socket at that path has no listener any more: a server that was killed left it. */
static bool is_stale(const weir_addr *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool stale = connect(fd, (const struct sockaddr *)&addr->storage, addr->len) != 0 &&
                 errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int bind_to(int fd, const weir_addr *addr)
{
    const struct sockaddr *sa = (const struct sockaddr *)&addr->storage;
    int rc = bind(fd, sa, addr->len);
    if (rc != 0 && errno == EADDRINUSE && is_unix_path(addr) && is_stale(addr)) {
        remove_path(addr);
        rc = bind(fd, sa, addr->len);
    }
    return rc;
}

static weir_err set_options(int fd, const weir_addr *addr, const weir_listener_opts *opts)
{
    int on = 1, v6_only = opts->v6_only;
    if (!is_unix_path(addr) && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return weir_err_from_errno(errno);
    if (opts->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return weir_err_from_errno(errno);
    if (addr->storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) != 0)
        return weir_err_from_errno(errno);
    return WEIR_OK;
}

static weir_err ask_address(int fd, weir_addr *addr)
{
    addr->len = sizeof addr->storage;
    return getsockname(fd, (struct sockaddr *)&addr->storage, &addr->len) == 0
               ? WEIR_OK
               : weir_err_from_errno(errno);
}

static weir_err bind_and_listen(int fd, weir_addr *addr, const weir_listener_opts *opts)
{
    weir_err err = set_options(fd, addr, opts);
    if (err)
        return err;
    if (bind_to(fd, addr) != 0)
        return weir_err_from_errno(errno);
    if (listen(fd, opts->backlog > 0 ? opts->backlog : BACKLOG) != 0) {
        err = weir_err_from_errno(errno);
        if (is_unix_path(addr))
            remove_path(addr);
        return err;
    }
    return ask_address(fd, addr);
}

weir_err weir__listen_socket_open(int *out, weir_addr *addr, const weir_listener_opts *opts)
{
    int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return weir_err_from_errno(errno);
    weir_err err = bind_and_listen(fd, addr, opts);
    if (err)
        close(fd);
    else
        *out = fd;
    return err;
}

weir_err weir__listen_socket_adopt(int fd, weir_addr *addr)
{
    int listening = 0, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof listening;
    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
        return WEIR_EINVAL;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return weir_err_from_errno(errno);
    return ask_address(fd, addr);
}

void weir__listen_socket_close(int fd, const weir_addr *addr)
{
    close(fd);
    if (is_unix_path(addr))
        remove_path(addr);
}
