#include "symbols.h"

#include <stdlib.h>
#include <weir/codec/google/protobuf/descriptor.weir.h>

typedef struct symbol {
    weir_str name;
    const weir_file *file;
    bool is_message;
} symbol;

/** Grows by doubling. */
typedef struct table {
    void *items;
    size_t len, room;
} table;

struct weir__symbols {
    weir_arena arena; /* names */
    table files;      /* const weir_file *, by name */
    table symbols;    /* symbol, by name */
    table extensions; /* weir__extension, by message and number */
    weir_err err;     /* while it is made */
};

/** Room for one more item. NULL: out of memory, which is noted. */
static void *add(weir__symbols *symbols, table *t, size_t size)
{
    if (t->len == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        void *items = reallocarray(t->items, room, size);
        if (!items) {
            symbols->err = WEIR_ENOMEM;
            return NULL;
        }
        t->items = items;
        t->room = room;
    }
    return (char *)t->items + t->len++ * size;
}

static int compare_names(weir_str a, weir_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp((*(const weir_file *const *)a)->name, (*(const weir_file *const *)b)->name);
}

static int compare_symbols(const void *a, const void *b)
{
    return compare_names(((const symbol *)a)->name, ((const symbol *)b)->name);
}

static int compare_extensions(const void *a, const void *b)
{
    const weir__extension *x = a, *y = b;
    int order = compare_names(x->of, y->of);
    return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

/* Making: a file's descriptor says what it declares. */

/** The file that is being read. */
typedef struct reading {
    weir__symbols *symbols;
    const weir_file *file;
} reading;

/** "scope.name", noted as declared in this file. */
static weir_str declare(reading *r, weir_str scope, weir_str name, bool is_message)
{
    weir_str full = scope.len > 0 ? weir_arena_printf(&r->symbols->arena, "%.*s.%.*s",
                                                      WEIR_STR_ARGS(scope), WEIR_STR_ARGS(name))
                                  : weir_arena_copy(&r->symbols->arena, name);
    symbol *s = full.ptr ? add(r->symbols, &r->symbols->symbols, sizeof *s) : NULL;
    if (s)
        *s = (symbol){full, r->file, is_message};
    else
        r->symbols->err = WEIR_ENOMEM;
    return full;
}

static void declare_extension(reading *r, weir_str scope,
                              const google_protobuf_field_descriptor_proto *field)
{
    declare(r, scope, field->name, false);
    weir_str of = field->extendee; /* ".package.Message" */
    if (of.len > 0 && of.ptr[0] == '.')
        of = weir_str_of(of.ptr + 1, of.len - 1);
    weir_str own = weir_arena_copy(&r->symbols->arena, of);
    weir__extension *e = own.ptr ? add(r->symbols, &r->symbols->extensions, sizeof *e) : NULL;
    if (e)
        *e = (weir__extension){own, field->number, r->file};
    else
        r->symbols->err = WEIR_ENOMEM;
}

/** An enum's values stand beside it. */
static void declare_enum(reading *r, weir_str scope,
                         const google_protobuf_enum_descriptor_proto *type)
{
    declare(r, scope, type->name, false);
    for (size_t i = 0; i < type->value.len; i++)
        declare(r, scope, type->value.items[i].name, false);
}

static void declare_message(reading *r, weir_str scope,
                            const google_protobuf_descriptor_proto *type)
{
    weir_str name = declare(r, scope, type->name, true);
    for (size_t i = 0; i < type->field.len; i++)
        declare(r, name, type->field.items[i].name, false);
    for (size_t i = 0; i < type->oneof_decl.len; i++)
        declare(r, name, type->oneof_decl.items[i].name, false);
    for (size_t i = 0; i < type->enum_type.len; i++)
        declare_enum(r, name, &type->enum_type.items[i]);
    for (size_t i = 0; i < type->extension.len; i++)
        declare_extension(r, name, &type->extension.items[i]);
    for (size_t i = 0; i < type->nested_type.len; i++) /* no deeper than protoc allows */
        declare_message(r, name, &type->nested_type.items[i]);
}

static void declare_service(reading *r, weir_str scope,
                            const google_protobuf_service_descriptor_proto *service)
{
    weir_str name = declare(r, scope, service->name, false);
    for (size_t i = 0; i < service->method.len; i++)
        declare(r, name, service->method.items[i].name, false);
}

static void read_file(weir__symbols *symbols, const weir_file *file)
{
    reading r = {symbols, file};
    weir_arena scratch;
    weir_arena_init(&scratch, NULL, 0);
    google_protobuf_file_descriptor_proto *proto;
    weir_err err = google_protobuf_file_descriptor_proto_decode(
        &proto, &scratch, weir_str_of(file->descriptor, file->descriptor_len));
    if (err) {
        symbols->err = err;
    } else {
        for (size_t i = 0; i < proto->message_type.len; i++)
            declare_message(&r, proto->package, &proto->message_type.items[i]);
        for (size_t i = 0; i < proto->enum_type.len; i++)
            declare_enum(&r, proto->package, &proto->enum_type.items[i]);
        for (size_t i = 0; i < proto->extension.len; i++)
            declare_extension(&r, proto->package, &proto->extension.items[i]);
        for (size_t i = 0; i < proto->service.len; i++)
            declare_service(&r, proto->package, &proto->service.items[i]);
    }
    weir_arena_fini(&scratch);
}

static bool has_file(const weir__symbols *symbols, const weir_file *file)
{
    const weir_file *const *files = symbols->files.items;
    for (size_t i = 0; i < symbols->files.len; i++) {
        if (strcmp(files[i]->name, file->name) == 0)
            return true;
    }
    return false;
}

/** The file and, behind it, what it imports that is not there yet. */
static void add_file(weir__symbols *symbols, const weir_file *file)
{
    if (has_file(symbols, file))
        return;
    const weir_file **place = add(symbols, &symbols->files, sizeof *place);
    if (!place)
        return;
    *place = file;
    for (size_t i = 0; i < file->import_count; i++)
        add_file(symbols, file->imports[i]);
}

static void sort(table *t, size_t size, int (*compare)(const void *, const void *))
{
    if (t->len > 0)
        qsort(t->items, t->len, size, compare);
}

weir_err weir__symbols_new(weir__symbols **out, const weir_file *const *roots, size_t count)
{
    weir__symbols *symbols = calloc(1, sizeof *symbols);
    if (!symbols)
        return WEIR_ENOMEM;
    weir_arena_init(&symbols->arena, NULL, 0);
    for (size_t i = 0; i < count; i++)
        add_file(symbols, roots[i]);
    const weir_file *const *files = symbols->files.items;
    for (size_t i = 0; i < symbols->files.len; i++)
        read_file(symbols, files[i]);
    if (symbols->err) {
        weir_err err = symbols->err;
        weir__symbols_free(symbols);
        return err;
    }
    sort(&symbols->files, sizeof(const weir_file *), compare_files);
    sort(&symbols->symbols, sizeof(symbol), compare_symbols);
    sort(&symbols->extensions, sizeof(weir__extension), compare_extensions);
    *out = symbols;
    return WEIR_OK;
}

void weir__symbols_free(weir__symbols *symbols)
{
    if (!symbols)
        return;
    free(symbols->files.items);
    free(symbols->symbols.items);
    free(symbols->extensions.items);
    weir_arena_fini(&symbols->arena);
    free(symbols);
}

/* Asking */

static const void *find(const table *t, const void *key, size_t size,
                        int (*compare)(const void *, const void *))
{
    return t->len > 0 ? bsearch(key, t->items, t->len, size, compare) : NULL;
}

static int compare_name_with_file(const void *name, const void *file)
{
    return compare_names(*(const weir_str *)name,
                         weir_str_from((*(const weir_file *const *)file)->name));
}

const weir_file *weir__symbols_file(const weir__symbols *symbols, weir_str name)
{
    const weir_file *const *found =
        find(&symbols->files, &name, sizeof *found, compare_name_with_file);
    return found ? *found : NULL;
}

static const symbol *find_symbol(const weir__symbols *symbols, weir_str name)
{
    return find(&symbols->symbols, &(symbol){.name = name}, sizeof(symbol), compare_symbols);
}

const weir_file *weir__symbols_declares(const weir__symbols *symbols, weir_str name)
{
    const symbol *found = find_symbol(symbols, name);
    return found ? found->file : NULL;
}

bool weir__symbols_is_message(const weir__symbols *symbols, weir_str name)
{
    const symbol *found = find_symbol(symbols, name);
    return found && found->is_message;
}

const weir__extension *weir__symbols_extension(const weir__symbols *symbols, weir_str of,
                                               int32_t number)
{
    return find(&symbols->extensions, &(weir__extension){.of = of, .number = number},
                sizeof(weir__extension), compare_extensions);
}

const weir__extension *weir__symbols_extensions(const weir__symbols *symbols, weir_str of,
                                                size_t *count)
{
    const weir__extension *all = symbols->extensions.items, *first = NULL;
    *count = 0;
    for (size_t i = 0; i < symbols->extensions.len; i++) {
        if (!weir_str_eq(all[i].of, of))
            continue;
        first = first ? first : &all[i];
        ++*count;
    }
    return first;
}

size_t weir__symbols_files(const weir__symbols *symbols)
{
    return symbols->files.len;
}

size_t weir__symbols_number(const weir__symbols *symbols, const weir_file *file)
{
    const weir_file *const *files = symbols->files.items;
    const weir_file *const *found = find(&symbols->files, &file, sizeof file, compare_files);
    return found ? (size_t)(found - files) : symbols->files.len;
}
