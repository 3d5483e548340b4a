/* Who follows whom. */
#include "modules.h"
#include "table.h"

static table following_table = TABLE_INIT;

static weir_status follow(weir_blocking_call *call, const social_pair *pair,
                          social_done *done WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_str *whom;
    size_t count = table_get(&following_table, pair->who, weir_blocking_arena(call), &whom);
    for (size_t i = 0; i < count; i++)
        if (weir_str_eq(whom[i], pair->whom))
            return WEIR_BLOCKING_OK; /* already */
    weir_err err = table_add(&following_table, pair->who, pair->whom, NULL);
    return err ? failed_with(call, err) : WEIR_BLOCKING_OK;
}

static weir_status following(weir_blocking_call *call, const social_name *who, social_names *out,
                             void *user WEIR_UNUSED)
{
    weir_str *names;
    out->names.len = table_get(&following_table, who->name, weir_blocking_arena(call), &names);
    out->names.items = names;
    return WEIR_BLOCKING_OK;
}

static const social_relations_methods methods = {
    .blocking = {.follow = follow, .following = following}};

weir_err relations_serve(weir_server *server)
{
    return social_relations_serve(server, &methods, NULL);
}
