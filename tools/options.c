#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const struct program *program, const char *fmt, va_list args)
{
    fprintf(stderr, "%s: ", program->name);
    vfprintf(stderr, fmt, args);
}

void usage_error(const struct program *program, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(program, fmt, args);
    va_end(args);
    fprintf(stderr, " (see %s --help)\n", program->name);
    exit(EXIT_USAGE);
}

int failure(const struct program *program, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(program, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

static void print_row(const char *name, const char *argument, const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", name, argument ? " " : "", argument ? argument : "");
    printf("  %-28s %s\n", left, help);
}

WEIR_NORETURN static void print_help(const struct program *program)
{
    printf("Usage: %s [options]%s%s\n\n%s\n\nOptions:\n", program->name,
           program->arguments ? " " : "", program->arguments ? program->arguments : "",
           program->summary);
    for (size_t i = 0; i < program->row_count; i++)
        print_row(program->rows[i].name, program->rows[i].argument, program->rows[i].help);
    print_row("help", NULL, "show this and exit");
    print_row("version", NULL, "show the version and exit");
    exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILED);
}

WEIR_NORETURN static void print_version(const struct program *program)
{
    printf("%s %s\n", program->name, WEIR_VERSION);
    exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILED);
}

static bool read_number(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return errno == 0 && end != text && *end == '\0';
}

static bool read_duration(const char *text, int64_t *out)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"", 1e6}, {"s", 1e6}, {"ms", 1e3}, {"us", 1}, {"m", 60e6}, {"h", 3600e6}};
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0 && value <= 1e9))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *out = (int64_t)(value * units[i].us);
            return true;
        }
    return false;
}

static bool read_flag(const char *text, bool *out)
{
    *out = !text || strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *out || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static void store(const struct program *program, const struct option_row *row, const char *value)
{
    int64_t number;
    switch (row->kind) {
    case OPTION_TEXT:
        *(const char **)row->out = value;
        break;
    case OPTION_NUMBER:
        if (!read_number(value, &number) || number < row->min || number > row->max)
            usage_error(program, "--%s takes a number from %lld to %lld, not \"%s\"", row->name,
                        (long long)row->min, (long long)row->max, value);
        *(int64_t *)row->out = number;
        break;
    case OPTION_DURATION:
        if (!read_duration(value, row->out))
            usage_error(program, "--%s takes a time like 10s or 500ms, not \"%s\"", row->name,
                        value);
        break;
    case OPTION_FLAG:
        if (!read_flag(value, row->out))
            usage_error(program, "--%s takes true or false, not \"%s\"", row->name, value);
        break;
    }
}

static const struct option_row *find_row(const struct program *program, const char *name,
                                         size_t len)
{
    for (size_t i = 0; i < program->row_count; i++) {
        const struct option_row *row = &program->rows[i];
        if (strncmp(row->name, name, len) == 0 && row->name[len] == '\0')
            return row;
    }
    return NULL;
}

/** @param next  the following argument or NULL. @return whether it was taken as the value */
static bool read_option(const struct program *program, const char *text, const char *next)
{
    if (strcmp(text, "help") == 0)
        print_help(program);
    if (strcmp(text, "version") == 0)
        print_version(program);
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    const struct option_row *row = find_row(program, text, len);
    if (!row)
        usage_error(program, "there is no option --%.*s", (int)len, text);
    if (value || row->kind == OPTION_FLAG) {
        store(program, row, value);
        return false;
    }
    if (!next)
        usage_error(program, "--%s needs a value: %s", row->name, row->argument);
    store(program, row, next);
    return true;
}

int options_read(const struct program *program, int argc, char **argv)
{
    int arguments = 0;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        char *text = argv[i];
        if (options && strcmp(text, "--") == 0) {
            options = false;
        } else if (options && strncmp(text, "--", 2) == 0) {
            i += read_option(program, text + 2, i + 1 < argc ? argv[i + 1] : NULL);
        } else if (options && text[0] == '-' && text[1] != '\0') {
            usage_error(program, "there is no option %s", text);
        } else if (!program->arguments) {
            usage_error(program, "no argument is expected: \"%s\"", text);
        } else {
            argv[++arguments] = text;
        }
    }
    return arguments;
}
