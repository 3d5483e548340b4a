#include "redis_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char tcp_scheme[] = "redis://";
static const char unix_scheme[] = "redis+unix://";

static weir_err bad(weir_why *why, const char *what)
{
    return weir_why_set(why, WEIR_EINVAL,
                        "the URL of Redis is not redis://[:PASSWORD@]HOST:PORT or "
                        "redis+unix://PATH: %s",
                        what);
}

static weir_err parse_unix(redis_url *url, const char *path, weir_why *why)
{
    if (path[0] != '/')
        return bad(why, "the path is not absolute");
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return bad(why, "the path is too long");
    snprintf(url->target, sizeof url->target, "unix:%s", path);
    return WEIR_OK;
}

/** Decimal digits only; strtol would take more. */
static bool is_port(const char *text)
{
    size_t len = strlen(text);
    long port = len > 0 && len <= 5 && strspn(text, "0123456789") == len ? atol(text) : 0;
    return port > 0 && port <= 65535;
}

static weir_err parse_tcp(redis_url *url, const char *rest, weir_why *why)
{
    const char *at = strrchr(rest, '@');
    if (at) {
        size_t len = (size_t)(at - rest);
        if (rest[0] != ':' || len < 2)
            return bad(why, "before '@' there is no \":PASSWORD\"");
        if (len > sizeof url->password)
            return bad(why, "the password is longer than 255 bytes");
        memcpy(url->password, rest + 1, len - 1);
        rest = at + 1;
    }
    const char *colon = strrchr(rest, ':');
    if (!colon || colon == rest || !is_port(colon + 1))
        return bad(why, "the host or the port is missing");
    if (strpbrk(rest, "/?# "))
        return bad(why, "nothing may follow the port");
    if (strlen(rest) >= sizeof url->target)
        return bad(why, "the host is too long");
    snprintf(url->target, sizeof url->target, "%s", rest);
    return WEIR_OK;
}

weir_err redis_url_parse(redis_url *out, const char *text, weir_why *why)
{
    redis_url url = {0};
    weir_err err;
    if (strncmp(text, tcp_scheme, sizeof tcp_scheme - 1) == 0)
        err = parse_tcp(&url, text + sizeof tcp_scheme - 1, why);
    else if (strncmp(text, unix_scheme, sizeof unix_scheme - 1) == 0)
        err = parse_unix(&url, text + sizeof unix_scheme - 1, why);
    else
        err = bad(why, "it begins with neither");
    if (!err)
        *out = url;
    explicit_bzero(&url, sizeof url);
    return err;
}
