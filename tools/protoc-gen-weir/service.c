#include "service.h"

#include <string.h>

static const char *kind_of(const method *m)
{
    if (m->client_streams)
        return m->server_streams ? "BIDI_STREAMING" : "CLIENT_STREAMING";
    return m->server_streams ? "SERVER_STREAMING" : "UNARY";
}

/** The part of the table with handlers that block, unless a method is called so. */
static const char *blocking_name(const generator *g, const service *sv)
{
    for (size_t i = 0; i < sv->method_count; i++) {
        if (strcmp(name_snake(g->schema->mem, sv->proto->method.items[i].name), "blocking") == 0)
            return "blocking_";
    }
    return "blocking";
}

static method method_of(const generator *g, const service *sv, size_t index)
{
    const schema *s = g->schema;
    const proto_method *proto = &sv->proto->method.items[index];
    method m = {.proto = proto,
                .client_streams = proto->client_streaming,
                .server_streams = proto->server_streaming};
    m.at = path_child(s->mem, sv->at, PATH_SERVICE_METHOD, index);
    const char *plain = name_snake(s->mem, proto->name);
    const printer_var vars[] = {
        {"export", s->opts->exported},
        {"service", sv->symbol},
        {"index", format(s->mem, "%zu", index)},
        {"method", plain},
        {"member", name_member(s->mem, weir_str_from(plain))},
        {"name", format(s->mem, "%.*s", WEIR_STR_ARGS(proto->name))},
        {"full", sv->vars[2].value},
        {"blocking", blocking_name(g, sv)},
        {"kind", kind_of(&m)},
        {"request", schema_type(s, proto->input_type)->symbol},
        {"reply", schema_type(s, proto->output_type)->symbol},
        {NULL, NULL},
    };
    memcpy(m.vars, vars, sizeof vars);
    return m;
}

static service service_of(const generator *g, size_t index)
{
    const schema *s = g->schema;
    const proto_service *proto = &g->file->proto->service.items[index];
    service sv = {.proto = proto, .method_count = proto->method.len};
    weir_str package = g->file->proto->package;
    sv.symbol = format(s->mem, "%s%s", g->file->prefix, name_snake(s->mem, proto->name));
    sv.at = path_child(s->mem, (path){0}, PATH_FILE_SERVICE, index);
    const printer_var vars[] = {
        {"export", s->opts->exported},
        {"service", sv.symbol},
        {"full", format(s->mem, "%.*s%s%.*s", WEIR_STR_ARGS(package), package.len ? "." : "",
                        WEIR_STR_ARGS(proto->name))},
        {"file", g->file->symbol},
        {NULL, NULL},
    };
    memcpy(sv.vars, vars, sizeof vars);
    sv.methods = allocate(s->mem, sv.method_count, sizeof *sv.methods);
    for (size_t i = 0; i < sv.method_count; i++)
        sv.methods[i] = method_of(g, &sv, i);
    return sv;
}

service *services_of(const generator *g)
{
    size_t count = g->file->proto->service.len;
    service *services = allocate(g->schema->mem, count, sizeof *services);
    for (size_t i = 0; i < count; i++)
        services[i] = service_of(g, i);
    return services;
}
