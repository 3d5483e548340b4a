#include "printer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fatal(const char *text)
{
    fprintf(stderr, "protoc-gen-weir: %s\n", text);
    exit(1);
}

static char *reserve(printer *out, size_t more)
{
    if (out->room - out->len < more) {
        out->room = out->room * 2 + more + 4096;
        out->ptr = realloc(out->ptr, out->room);
        if (!out->ptr)
            fatal("out of memory");
    }
    return out->ptr + out->len;
}

void print_str(printer *out, weir_str text)
{
    if (text.len)
        memcpy(reserve(out, text.len), text.ptr, text.len);
    out->len += text.len;
}

void print(printer *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text;
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0)
        fatal("out of memory");
    print_str(out, weir_str_of(text, (size_t)len));
    free(text);
}

static const char *lookup(const printer_var *vars, const char *name, size_t len)
{
    for (; vars->name; vars++)
        if (strlen(vars->name) == len && memcmp(vars->name, name, len) == 0)
            return vars->value;
    fatal("a template names an unknown variable");
}

void print_template(printer *out, const char *text, const printer_var *vars)
{
    for (;;) {
        size_t plain = strcspn(text, "$");
        print_str(out, weir_str_of(text, plain));
        if (text[plain] == '\0')
            return;
        const char *name = text + plain + 1;
        size_t len = strcspn(name, "$");
        print_str(out, weir_str_from(lookup(vars, name, len)));
        text = name + len + 1;
    }
}

void print_escaped(printer *out, weir_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '?')
            print(out, "\\%03o", c);
        else
            print(out, "%c", c);
    }
}

void printer_free(printer *out)
{
    free(out->ptr);
    *out = (printer){0};
}

const char *format(weir_arena *mem, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weir_str text = weir_arena_vprintf(mem, fmt, args);
    va_end(args);
    if (!text.ptr)
        fatal("out of memory");
    return text.ptr;
}

void *allocate(weir_arena *mem, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        fatal("out of memory");
    void *p = weir_arena_zalloc(mem, count * size);
    if (!p)
        fatal("out of memory");
    return p;
}
