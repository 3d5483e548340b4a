/* Who there is. */
#include "modules.h"
#include "table.h"

static table people = TABLE_INIT;

static weir_status create(weir_blocking_call *call, const social_person *person,
                          social_done *done WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_str *found;
    if (person->name.len == 0)
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "a person needs a name");
    if (table_get(&people, person->name, weir_blocking_arena(call), &found) > 0)
        return weir_blocking_fail(call, WEIR_STATUS_ALREADY_EXISTS, "%.*s is there already",
                                  WEIR_STR_ARGS(person->name));
    weir_err err = table_add(&people, person->name, person->greeting, NULL);
    return err ? failed_with(call, err) : WEIR_BLOCKING_OK;
}

static weir_status get(weir_blocking_call *call, const social_name *who, social_person *out,
                       void *user WEIR_UNUSED)
{
    weir_str *found;
    if (table_get(&people, who->name, weir_blocking_arena(call), &found) == 0)
        return weir_blocking_fail(call, WEIR_STATUS_NOT_FOUND, "there is no %.*s",
                                  WEIR_STR_ARGS(who->name));
    out->name = who->name;
    out->greeting = found[0];
    return WEIR_BLOCKING_OK;
}

static const social_users_methods methods = {.blocking = {.create = create, .get = get}};

weir_err users_serve(weir_server *server)
{
    return social_users_serve(server, &methods, NULL);
}
