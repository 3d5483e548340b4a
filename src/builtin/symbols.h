/**
 * @file
 * What is declared where: an index over the .proto files of a server's services and over all that
 * they import. Read-only once it is made.
 */
#ifndef WEIR_BUILTIN_SYMBOLS_H
#define WEIR_BUILTIN_SYMBOLS_H

#include <weir/rpc/method.h>

typedef struct weir__symbols weir__symbols;

/** An extension of a message. */
typedef struct weir__extension {
    weir_str of; /* the message's full name */
    int32_t number;
    const weir_file *file;
} weir__extension;

/** @errors WEIR_ENOMEM. WEIR_EMALFORMED: a descriptor cannot be read. */
WEIR_MUST_CHECK weir_err weir__symbols_new(weir__symbols **out, const weir_file *const *roots,
                                           size_t count);
void weir__symbols_free(weir__symbols *symbols);

/* NULL: there is none. Full names, without a dot in front. */

const weir_file *weir__symbols_file(const weir__symbols *symbols, weir_str name);
const weir_file *weir__symbols_declares(const weir__symbols *symbols, weir_str symbol);
const weir__extension *weir__symbols_extension(const weir__symbols *symbols, weir_str of,
                                               int32_t number);

/** All extensions of a message, by number; they lie together. @return the first; NULL: none */
const weir__extension *weir__symbols_extensions(const weir__symbols *symbols, weir_str of,
                                                size_t *count);
/** Whether there is a message of that name. */
bool weir__symbols_is_message(const weir__symbols *symbols, weir_str name);

/** Every file has a number below this. */
size_t weir__symbols_files(const weir__symbols *symbols);
size_t weir__symbols_number(const weir__symbols *symbols, const weir_file *file);

#endif
