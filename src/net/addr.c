#include <weir/net/addr.h>

#include "addr_impl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char forms[] =
    "\"127.0.0.1:80\", \"[::1]:80\", \":80\", \"localhost:80\" or \"unix:PATH\"";

static weir_err parse_port(const char *text, in_port_t *out)
{
    unsigned port = 0;
    if (*text == '\0')
        return WEIR_EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return WEIR_EINVAL;
        port = port * 10 + (unsigned)(*text - '0');
        if (port > 65535)
            return WEIR_EINVAL;
    }
    *out = htons((uint16_t)port);
    return WEIR_OK;
}

static weir_err parse_unix(weir_addr *out, const char *path, weir_why *why)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof sun.sun_path)
        return weir_why_set(why, WEIR_EINVAL,
                            "a unix socket's path has 1 to %zu bytes: \"unix:%s\"",
                            sizeof sun.sun_path - 1, path);
    bool is_abstract = path[0] == '@';
    memcpy(sun.sun_path, path, len);
    if (is_abstract)
        sun.sun_path[0] = '\0';
    *out = (weir_addr){
        .len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (is_abstract ? 0 : 1))};
    memcpy(&out->storage, &sun, sizeof sun);
    return WEIR_OK;
}

static weir_err parse_ipv4(weir_addr *out, const char *host, const char *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    if (*host == '\0')
        sin.sin_addr.s_addr = htonl(INADDR_ANY);
    else if (strcmp(host, "localhost") == 0)
        sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (inet_pton(AF_INET, host, &sin.sin_addr) != 1)
        return WEIR_EINVAL;
    if (parse_port(port, &sin.sin_port))
        return WEIR_EINVAL;
    *out = (weir_addr){.len = sizeof sin};
    memcpy(&out->storage, &sin, sizeof sin);
    return WEIR_OK;
}

static weir_err parse_ipv6(weir_addr *out, const char *host, const char *port)
{
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET6, host, &sin6.sin6_addr) != 1 || parse_port(port, &sin6.sin6_port))
        return WEIR_EINVAL;
    *out = (weir_addr){.len = sizeof sin6};
    memcpy(&out->storage, &sin6, sizeof sin6);
    return WEIR_OK;
}

weir_err weir_addr_parse(weir_addr *out, const char *text, weir_why *why)
{
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(out, text + 5, why);

    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : sizeof host;
    weir_err err = WEIR_EINVAL;
    if (len < sizeof host) {
        memcpy(host, text, len);
        host[len] = '\0';
        if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
            host[len - 1] = '\0';
            err = parse_ipv6(out, host + 1, colon + 1);
        } else {
            err = parse_ipv4(out, host, colon + 1);
        }
    }
    return err ? weir_why_set(why, err, "\"%.60s\" is not an address: write %s", text, forms)
               : WEIR_OK;
}

static void unix_text(const weir_addr *addr, char *out)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)&addr->storage;
    size_t at = offsetof(struct sockaddr_un, sun_path);
    size_t len = addr->len > at ? addr->len - at : 0;
    if (len > 0 && sun->sun_path[0] == '\0')
        snprintf(out, WEIR_ADDR_TEXT_MAX, "unix:@%.*s", (int)len - 1, sun->sun_path + 1);
    else
        snprintf(out, WEIR_ADDR_TEXT_MAX, "unix:%.*s", (int)len, sun->sun_path);
}

const char *weir_addr_text(const weir_addr *addr, char out[WEIR_ADDR_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port = weir_addr_port(addr);
    switch (addr->storage.ss_family) {
    case AF_INET:
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&addr->storage)->sin_addr, host,
                  sizeof host);
        snprintf(out, WEIR_ADDR_TEXT_MAX, "%s:%u", host, port);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&addr->storage)->sin6_addr, host,
                  sizeof host);
        snprintf(out, WEIR_ADDR_TEXT_MAX, "[%s]:%u", host, port);
        break;
    case AF_UNIX:
        unix_text(addr, out);
        break;
    default:
        snprintf(out, WEIR_ADDR_TEXT_MAX, "?");
    }
    return out;
}

unsigned weir_addr_port(const weir_addr *addr)
{
    if (addr->storage.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&addr->storage)->sin_port);
    if (addr->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&addr->storage)->sin6_port);
    return 0;
}

void weir__addr_unmap(weir_addr *addr)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&addr->storage;
    if (addr->storage.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six->sin6_port};
    memcpy(&four.sin_addr, &six->sin6_addr.s6_addr[12], sizeof four.sin_addr);
    *addr = (weir_addr){.len = sizeof four};
    memcpy(&addr->storage, &four, sizeof four);
}
