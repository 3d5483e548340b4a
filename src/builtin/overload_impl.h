/**
 * @file
 * Inside of weir_overload: overload.c makes it, overload_call.c leads calls through its gates.
 */
#ifndef WEIR_BUILTIN_OVERLOAD_IMPL_H
#define WEIR_BUILTIN_OVERLOAD_IMPL_H

#include <weir/builtin/overload.h>

#include "overload_gate.h"

typedef struct weir__overload_rule {
    char *path;
    bool exempt;
    weir__overload_gate *gate; /* NULL: none */
} weir__overload_rule;

struct weir_overload {
    weir_overload_opts opts;
    char *key_metadata;
    weir__overload_gate *gate; /* the server's; NULL: none */
    size_t rule_count;
    weir__overload_rule rules[];
};

#endif
