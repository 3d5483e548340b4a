#include "channel_target.h"

#include <weir/zk/zk.h>

#include <stdio.h>
#include <string.h>

/* Of targets that name none: that of HTTPS, as gRPC has it. */
#define DEFAULT_PORT "443"

static const char forms[] = "\"HOST:PORT\", \"dns:HOST:PORT\", \"ipv4:ADDR:PORT\", "
                            "\"ipv6:[ADDR]:PORT\", \"unix:PATH\", \"static:///A,B\", "
                            "\"file:///PATH\" or \"zk://HOSTS/PATH\"";

static weir_err refuse(weir_why *why, const char *target, const char *what)
{
    return weir_why_set(why, WEIR_EINVAL, "the target \"%.40s\" %s: write %s", target, what, forms);
}

/** What stands behind `scheme`; NULL: another one does. */
static const char *behind(const char *target, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncmp(target, scheme, len) == 0 ? target + len : NULL;
}

static bool is_in(const char *text, size_t len, const char *allowed)
{
    return strspn(text, allowed) >= len;
}

#define DIGITS "0123456789"
#define HEX    DIGITS "abcdefABCDEF"
#define LETTER "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/** "HOST", "HOST:PORT", "[V6]", "[V6]:PORT" or "V6", to one with a port. */
static weir_err read_host(weir__target *out, const char *host, const char *target, weir_why *why)
{
    const char *colon = strrchr(host, ':'), *close = strrchr(host, ']');
    bool bracketed = host[0] == '[' && close;
    bool bare_v6 = !bracketed && colon && strchr(host, ':') != colon;
    bool has_port = colon && !bare_v6 && (!bracketed || colon > close);
    const char *port = has_port ? colon + 1 : DEFAULT_PORT;
    size_t len = has_port ? (size_t)(colon - host) : strlen(host);
    const char *allowed = bracketed || bare_v6 ? HEX ":.%[]" LETTER : DIGITS LETTER "-_.";
    if (len == 0 || len > 253 || !is_in(host, len, allowed))
        return refuse(why, target, "has no host name that can be read");
    if (*port == '\0' || strlen(port) > 40 || !is_in(port, strlen(port), DIGITS LETTER "-"))
        return refuse(why, target, "has no port that can be read");
    snprintf(out->lookup, sizeof out->lookup, bare_v6 ? "[%.*s]:%s" : "%.*s:%s", (int)len, host,
             port);
    snprintf(out->authority, sizeof out->authority, "%s", has_port ? host : out->lookup);
    return WEIR_OK;
}

static weir_err read_unix(weir__target *out, const char *prefix, const char *path,
                          const char *target, weir_why *why)
{
    if (*path == '\0' || strlen(path) > 107)
        return refuse(why, target, "has no path of 1 to 107 bytes");
    snprintf(out->lookup, sizeof out->lookup, "unix:%s%s", prefix, path);
    snprintf(out->authority, sizeof out->authority, "localhost");
    return WEIR_OK;
}

static weir_err read_dns(weir__target *out, const char *rest, const char *target, weir_why *why)
{
    const char *server = behind(rest, "//");
    out->is_dns = true;
    out->path = out->lookup;
    if (!server)
        return read_host(out, rest, target, why);
    const char *slash = strchr(server, '/');
    size_t len = slash ? (size_t)(slash - server) : sizeof out->servers;
    if (len >= sizeof out->servers)
        return refuse(why, target, "has no name behind its name server");
    snprintf(out->servers, sizeof out->servers, "%.*s", (int)len, server);
    return read_host(out, slash + 1, target, why);
}

/** One, or several with commas between. */
static weir_err read_address(weir__target *out, const weir_resolver_type *type, const char *rest,
                             const char *target, weir_why *why)
{
    if (!strchr(rest, ','))
        return read_host(out, rest, target, why);
    out->resolver = type;
    out->path = rest;
    return WEIR_OK;
}

/** "SCHEME://AUTHORITY/PATH", "SCHEME:///PATH" or "SCHEME:PATH". */
static weir_err read_scheme(weir__target *out, const weir_resolver_type *type, const char *rest,
                            const char *target, weir_why *why)
{
    const char *authority = behind(rest, "//");
    const char *slash = authority ? strchr(authority, '/') : NULL;
    size_t len = slash ? (size_t)(slash - authority) : 0;
    if (authority && !slash)
        return refuse(why, target, "has no \"/\" and path behind its authority");
    if (len >= sizeof out->servers)
        return refuse(why, target, "has too long an authority");
    snprintf(out->servers, sizeof out->servers, "%.*s", (int)len, authority ? authority : "");
    out->resolver = type;
    out->path = authority ? slash + 1 : rest;
    return WEIR_OK;
}

/** The kind whose scheme the target begins with. @param rest  what follows the ":" */
static const weir_resolver_type *find_type(const weir_resolver_type *const *types, size_t count,
                                           const char *target, const char **rest)
{
    const char *colon = strchr(target, ':');
    size_t len = colon ? (size_t)(colon - target) : 0;
    for (size_t i = 0; i < count && colon; i++) {
        if (strlen(types[i]->scheme) == len && strncmp(types[i]->scheme, target, len) == 0) {
            *rest = colon + 1;
            return types[i];
        }
    }
    return NULL;
}

static const weir_resolver_type *const own_types[] = {
    &weir_resolver_static,
    &weir_resolver_file,
    &weir_resolver_zk,
};

weir_err weir__target_read(weir__target *out, const char *target,
                           const weir_resolver_type *const *types, size_t type_count, weir_why *why)
{
    const char *rest;
    const weir_resolver_type *type;
    *out = (weir__target){.authority = ""};
    snprintf(out->lookup, sizeof out->lookup, "%s", target);
    if ((type = find_type(types, type_count, target, &rest)))
        return read_scheme(out, type, rest, target, why);
    if ((rest = behind(target, "unix-abstract:")))
        return read_unix(out, "@", rest, target, why);
    if ((rest = behind(target, "unix:///")))
        return read_unix(out, "/", rest, target, why);
    if ((rest = behind(target, "unix:")))
        return read_unix(out, "", rest, target, why);
    if ((rest = behind(target, "dns:")))
        return read_dns(out, rest, target, why);
    if ((rest = behind(target, "ipv4:")))
        return read_address(out, &weir_resolver_ipv4, rest, target, why);
    if ((rest = behind(target, "ipv6:")))
        return read_address(out, &weir_resolver_ipv6, rest, target, why);
    type = find_type(own_types, sizeof own_types / sizeof *own_types, target, &rest);
    if (type && *rest == '/')
        return read_scheme(out, type, rest, target, why);
    if (strstr(target, "://"))
        return refuse(why, target, "has a scheme that is not known");
    return read_dns(out, target, target, why);
}
