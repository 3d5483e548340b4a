/**
 * @file
 * Endpoints in files, for weir_resolver_file.
 */
#ifndef WEIR_NAMING_ENDPOINT_FILE_H
#define WEIR_NAMING_ENDPOINT_FILE_H

#include <weir/naming/endpoint.h>

enum {
    WEIR__FILE_BYTES_MAX = 16 << 20,
    WEIR__FILE_LINES_MAX = 10000
};

/**
 * Appends what the lines of `text` say, in the forms of weir_resolver_file.
 * @param name  of the file, for sentences
 * @errors WEIR_EMALFORMED: a line cannot be read; WEIR_EMSGSIZE: too many; WEIR_ENOMEM
 */
WEIR_MUST_CHECK weir_err weir__endpoints_parse(weir_endpoints *list, weir_str text,
                                               const char *name, weir_why *why);

/**
 * The endpoints of a file, or of the files in a folder, as they are now.
 * @param out  yours
 * @errors those of weir__endpoints_parse(); WEIR_ENOENT, WEIR_EACCES, ...: it cannot be read
 */
WEIR_MUST_CHECK weir_err weir__endpoints_load(weir_endpoints **out, const char *path,
                                              weir_why *why);

#endif
