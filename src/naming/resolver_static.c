/* Targets that hold their addresses: told once, in the first turn of the loop. */
#include "resolver_static.h"

#include <stdlib.h>
#include <string.h>

#include "target.h"

typedef struct fixed_resolver {
    weir_resolver head;
    weir_loop *loop;
    const weir_resolver_events *events;
    void *user;
    weir_timer soon;
    weir_endpoints *list;
} fixed_resolver;

static void tell(weir_timer *timer, void *user WEIR_UNUSED)
{
    fixed_resolver *r = WEIR_CONTAINER_OF(timer, fixed_resolver, soon);
    r->events->found(r->list, NULL, r->user);
}

weir_err weir__resolver_fixed_start(weir_resolver **out, const weir_resolver_type *type,
                                    const weir_resolver_request *request, weir_endpoints *list)
{
    fixed_resolver *r = calloc(1, sizeof *r);
    if (!r) {
        weir_endpoints_unref(list);
        return WEIR_ENOMEM;
    }
    *r = (fixed_resolver){.head.type = type,
                          .loop = request->loop,
                          .events = request->events,
                          .user = request->user,
                          .list = list};
    weir_loop_after(r->loop, &r->soon, 0, tell, NULL);
    *out = &r->head;
    return WEIR_OK;
}

void weir__resolver_fixed_free(weir_resolver *resolver)
{
    fixed_resolver *r = WEIR_CONTAINER_OF(resolver, fixed_resolver, head);
    weir_loop_cancel(r->loop, &r->soon);
    weir_endpoints_unref(r->list);
    free(r);
}

/* Lists. */

static weir_err add_all(weir_endpoints *list, const char *text, weir_why *why)
{
    for (;;) {
        size_t len = strcspn(text, ",");
        weir_str address = weir_str_of(text, len);
        if (!weir__address_is_whole(address))
            return weir_why_set(why, WEIR_EINVAL,
                                "\"%.*s\" is no HOST:PORT; write them with commas between",
                                (int)(len > 60 ? 60 : len), text);
        weir_err err = weir_endpoints_add(list, &(weir_endpoint){.address = address});
        if (err)
            return weir_why_set(why, err, "\"%.*s\": %s", (int)(len > 60 ? 60 : len), text,
                                weir_err_text(err));
        if (text[len] == '\0')
            return WEIR_OK;
        text += len + 1;
    }
}

static weir_err start_list(weir_resolver **out, const weir_resolver_type *type,
                           const weir_resolver_request *request, weir_why *why)
{
    weir_endpoints *list;
    weir_err err = weir_endpoints_new(&list);
    if (err)
        return err;
    err = add_all(list, request->path, why);
    if (err) {
        weir_endpoints_unref(list);
        return err;
    }
    return weir__resolver_fixed_start(out, type, request, list);
}

static weir_err static_start(weir_resolver **out, const weir_resolver_request *request,
                             weir_why *why)
{
    return start_list(out, &weir_resolver_static, request, why);
}

static weir_err ipv4_start(weir_resolver **out, const weir_resolver_request *request, weir_why *why)
{
    return start_list(out, &weir_resolver_ipv4, request, why);
}

static weir_err ipv6_start(weir_resolver **out, const weir_resolver_request *request, weir_why *why)
{
    return start_list(out, &weir_resolver_ipv6, request, why);
}

const weir_resolver_type weir_resolver_static = {"static", static_start, NULL,
                                                 weir__resolver_fixed_free};
const weir_resolver_type weir_resolver_ipv4 = {"ipv4", ipv4_start, NULL, weir__resolver_fixed_free};
const weir_resolver_type weir_resolver_ipv6 = {"ipv6", ipv6_start, NULL, weir__resolver_fixed_free};
