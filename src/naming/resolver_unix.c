/* Sockets of this machine: one endpoint. */
#include <stdio.h>
#include <string.h>

#include "resolver_static.h"

enum {
    /* Of sun_path, without a NUL or the "@". */
    PATH_BYTES_MAX = 107
};

static weir_err start(weir_resolver **out, const weir_resolver_type *type,
                      const weir_resolver_request *request, const char *before, weir_why *why)
{
    char address[8 + PATH_BYTES_MAX];
    weir_endpoints *list;
    if (request->authority[0] != '\0')
        return weir_why_set(why, WEIR_EINVAL,
                            "\"%.60s\" names a host, and sockets with paths are of this one",
                            request->target);
    int len = snprintf(address, sizeof address, "unix:%s%s", before, request->path);
    if (request->path[0] == '\0' || len - (int)strlen("unix:") > PATH_BYTES_MAX)
        return weir_why_set(why, WEIR_EINVAL, "\"%.60s\" has no path of 1 to %d bytes",
                            request->target, PATH_BYTES_MAX);
    weir_err err = weir_endpoints_new(&list);
    if (err)
        return weir_why_set(why, err, "out of memory");
    err = weir_endpoints_add(list, &(weir_endpoint){.address = weir_str_from(address)});
    if (err) {
        weir_endpoints_unref(list);
        return weir_why_set(why, err, "the path of \"%.60s\" has a blank or a control byte",
                            request->target);
    }
    return weir__resolver_fixed_start(out, type, request, list);
}

/** "unix:PATH" may be relative; "unix:///PATH" is absolute. */
static weir_err unix_start(weir_resolver **out, const weir_resolver_request *request, weir_why *why)
{
    bool has_slashes = strncmp(request->target, "unix://", 7) == 0 && request->path[0] != '/';
    return start(out, &weir_resolver_unix, request, has_slashes ? "/" : "", why);
}

static weir_err abstract_start(weir_resolver **out, const weir_resolver_request *request,
                               weir_why *why)
{
    return start(out, &weir_resolver_unix_abstract, request, "@", why);
}

const weir_resolver_type weir_resolver_unix = {"unix", unix_start, NULL, weir__resolver_fixed_free};
const weir_resolver_type weir_resolver_unix_abstract = {"unix-abstract", abstract_start, NULL,
                                                        weir__resolver_fixed_free};
