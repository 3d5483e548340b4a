/**
 * @file
 * Command line options of weir's tools: a table, read as `--name=value` or `--name value`.
 *
 *     static const struct option_row rows[] = {
 *         {"listen", "ADDR:PORT", "where to listen", OPTION_TEXT, &listen, 0, 0},
 *         {"verbose", NULL, "say more", OPTION_FLAG, &verbose, 0, 0},
 *     };
 *
 * Every program also knows --help and --version. A mistake ends the program with one line on stderr
 * and status 2.
 */
#ifndef WEIR_TOOLS_OPTIONS_H
#define WEIR_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/attr.h>

/** Exit statuses of every tool. */
enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2
};

enum option_kind {
    OPTION_TEXT,     /* const char * */
    OPTION_NUMBER,   /* int64_t from `min` to `max` */
    OPTION_DURATION, /* int64_t microseconds: "10" and "10s" are seconds; "5ms", "2m" */
    OPTION_FLAG      /* bool: --name, --name=true, --name=false */
};

struct option_row {
    const char *name;     /* without the dashes */
    const char *argument; /* "ADDR:PORT" in the help; NULL for a flag */
    const char *help;
    enum option_kind kind;
    void *out; /* unchanged when the option is not given */
    int64_t min, max;
};

struct program {
    const char *name;
    const char *summary;   /* one sentence */
    const char *arguments; /* "METHOD [JSON]" in the usage line; NULL: none are taken */
    const struct option_row *rows;
    size_t row_count;
};

/**
 * Reads the options; what is not an option is moved to argv[1] and on. "--" ends the options.
 * @return how many arguments there are
 */
int options_read(const struct program *program, int argc, char **argv);

/** A mistake in the command line: says it, points to --help, and ends with status 2. */
WEIR_NORETURN void usage_error(const struct program *program, const char *fmt, ...)
    WEIR_PRINTF(2, 3);

/** One line on stderr that begins with the program's name. @return EXIT_FAILED */
int failure(const struct program *program, const char *fmt, ...) WEIR_PRINTF(2, 3);

#endif
