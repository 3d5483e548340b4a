/* Growing text, written by templates in which $name$ stands for a variable. Out of memory ends the
 * program: a generator has nothing better to do. */
#ifndef PRINTER_H
#define PRINTER_H

#include <stddef.h>
#include <weir/base/arena.h>
#include <weir/base/attr.h>

typedef struct printer {
    char *ptr;
    size_t len;
    size_t room;
} printer;

typedef struct printer_var {
    const char *name;
    const char *value;
} printer_var;

void print_str(printer *out, weir_str text);
void print(printer *out, const char *fmt, ...) WEIR_PRINTF(2, 3);

/** @param vars  ends with a NULL name */
void print_template(printer *out, const char *text, const printer_var *vars);

/** The inside of a string literal. */
void print_escaped(printer *out, weir_str text);

void printer_free(printer *out);

/** printf into the arena. */
const char *format(weir_arena *mem, const char *fmt, ...) WEIR_PRINTF(2, 3);

/** weir_arena_zalloc(), never NULL. */
void *allocate(weir_arena *mem, size_t count, size_t size);

/** Says it and exits with status 1. */
WEIR_NORETURN void fatal(const char *text);

#endif
