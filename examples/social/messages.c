/* What people have said. */
#include "modules.h"
#include "table.h"

static table said = TABLE_INIT;

static weir_status add(weir_blocking_call *call, const social_post *post, social_post *out,
                       void *user WEIR_UNUSED)
{
    *out = *post;
    weir_err err = table_add(&said, post->author, post->text, &out->number);
    return err ? failed_with(call, err) : WEIR_BLOCKING_OK;
}

static weir_status by(weir_blocking_call *call, const social_name *who, social_posts *out,
                      void *user WEIR_UNUSED)
{
    weir_arena *mem = weir_blocking_arena(call);
    weir_str *texts;
    size_t count = table_get(&said, who->name, mem, &texts);
    social_post *posts = weir_arena_zalloc(mem, count * sizeof *posts + 1);
    for (size_t i = 0; posts && i < count; i++)
        posts[i] = (social_post){.author = who->name, .text = texts[i], .number = (int64_t)i + 1};
    out->posts.items = posts;
    out->posts.len = posts ? count : 0;
    return WEIR_BLOCKING_OK;
}

static const social_messages_methods methods = {.blocking = {.add = add, .by = by}};

weir_err messages_serve(weir_server *server)
{
    return social_messages_serve(server, &methods, NULL);
}
