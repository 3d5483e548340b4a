/* The files that are made for one .proto. */
#ifndef GENERATE_H
#define GENERATE_H

#include "names.h"
#include "printer.h"
#include "schema.h"

/** What is at work: one .proto, and the C names that it declares. */
typedef struct generator {
    const schema *schema;
    const file *file;
    name_set names;
} generator;

/** "x.weir.h" */
void generate_header(generator *g, printer *out);
/** "x.weir.c" */
void generate_source(generator *g, printer *out);

/** The #include lines of the .protos that this one imports. */
void generate_imports(const generator *g, printer *out);

/** Message parts of the header: enums, structs, descriptors. */
void generate_types(generator *g, printer *out);

/** Service parts of either file; nothing when there is no service. */
void generate_service_declarations(generator *g, printer *out);
void generate_service_definitions(generator *g, printer *out);

/**
 * Whether C code can be made for the file.
 * @return NULL, or a sentence why not
 */
const char *check_file(const schema *s, const file *f);

/** "SERVICE_FIELD": the value's name without its enum's, behind the enum's symbol. */
const char *enum_value_symbol(const schema *s, const type *t, weir_str value);

#endif
