#include "db_mariadb_url.h"

static const char FORMS[] = "mariadb://USER:PASSWORD@HOST:PORT/DATABASE or "
                            "mariadb://USER:PASSWORD@/DATABASE?socket=PATH";

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** With its %XX replaced. @return false: too long, or no such bytes */
static bool unescape(char *out, size_t size, weir_str in)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        if (c == '%') {
            const bool fits = i + 2 < in.len;
            const int high = fits ? hex(in.ptr[i + 1]) : -1;
            const int low = fits ? hex(in.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == 0 || n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = 0;
    return true;
}

/** Splits at the first `c`; without one all of it is the first part. */
static weir_str cut(weir_str *rest, char c)
{
    const char *at = rest->len ? memchr(rest->ptr, c, rest->len) : NULL;
    const weir_str first = weir_str_of(rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len);
    const size_t used = first.len + (at != NULL);
    *rest = weir_str_of(rest->ptr + used, rest->len - used);
    return first;
}

static bool parse_port(unsigned *out, weir_str text)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || *out > 65535)
            return false;
        *out = *out * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return *out >= 1 && *out <= 65535;
}

/** "host", "host:port", "[v6]:port" or nothing. */
static bool parse_host(db_mariadb_url *out, weir_str text)
{
    weir_str host, rest = text;
    if (text.len && text.ptr[0] == '[') {
        rest = weir_str_of(text.ptr + 1, text.len - 1);
        if (!memchr(rest.ptr, ']', rest.len))
            return false;
        host = cut(&rest, ']');
        if (rest.len && *rest.ptr == ':')
            rest = weir_str_of(rest.ptr + 1, rest.len - 1);
        else if (rest.len)
            return false;
    } else {
        host = cut(&rest, ':');
    }
    out->port = 3306;
    return unescape(out->host, sizeof out->host, host) &&
           (rest.len == 0 || parse_port(&out->port, rest));
}

static bool parse_database(db_mariadb_url *out, weir_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return text.len > 0 && unescape(out->database, sizeof out->database, text);
}

static bool parse(db_mariadb_url *out, weir_str rest)
{
    static const weir_str SOCKET = {"socket=", 7};
    const char *at = rest.len ? memrchr(rest.ptr, '@', rest.len) : NULL;
    if (!at)
        return false;
    weir_str login = weir_str_of(rest.ptr, (size_t)(at - rest.ptr));
    rest = weir_str_of(at + 1, rest.len - login.len - 1);
    const weir_str user = cut(&login, ':');
    const weir_str place = cut(&rest, '/');
    const weir_str database = cut(&rest, '?');
    if (!unescape(out->user, sizeof out->user, user) || !*out->user ||
        !unescape(out->password, sizeof out->password, login) || !parse_host(out, place) ||
        !parse_database(out, database))
        return false;
    if (rest.len == 0)
        return *out->host != 0;
    return weir_str_starts(rest, SOCKET) && !*out->host && rest.len > SOCKET.len &&
           unescape(out->socket, sizeof out->socket,
                    weir_str_of(rest.ptr + SOCKET.len, rest.len - SOCKET.len));
}

weir_err db_mariadb_url_parse(db_mariadb_url *out, const char *url, weir_why *why)
{
    static const char SCHEME[] = "mariadb://";
    *out = (db_mariadb_url){.port = 0};
    /* The sentence does not repeat the URL: there is a password in it. */
    if (strncmp(url, SCHEME, strlen(SCHEME)) != 0 ||
        !parse(out, weir_str_from(url + strlen(SCHEME))))
        return weir_why_set(why, WEIR_EINVAL, "the database's URL is not %s", FORMS);
    return WEIR_OK;
}
