#include "comments.h"

#include <string.h>

typedef google_protobuf_source_code_info_location location;

static const location *find_location(const file *f, path at)
{
    const google_protobuf_source_code_info *info = f->proto->source_code_info;
    for (size_t i = 0; info && i < info->location.len; i++) {
        weir_int32s have = info->location.items[i].path;
        if (have.len == at.len &&
            (at.len == 0 || memcmp(have.items, at.items, at.len * sizeof *at.items) == 0))
            return &info->location.items[i];
    }
    return NULL;
}

/** One line, in which nothing ends or begins a C comment. */
static void print_line(printer *out, weir_str line)
{
    while (line.len && (line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\t'))
        line.len--;
    if (line.len && line.ptr[0] != ' ')
        print(out, " ");
    for (size_t i = 0; i < line.len; i++) {
        bool mark = i && ((line.ptr[i - 1] == '*' && line.ptr[i] == '/') ||
                          (line.ptr[i - 1] == '/' && line.ptr[i] == '*'));
        print(out, "%s%c", mark ? " " : "", line.ptr[i]);
    }
}

/** Takes the first line off; a line feed at the very end begins no further one. */
static weir_str next_line(weir_str *text)
{
    const char *end = memchr(text->ptr, '\n', text->len);
    weir_str line = weir_str_of(text->ptr, end ? (size_t)(end - text->ptr) : text->len);
    size_t taken = line.len + (end != NULL);
    *text = weir_str_of(text->ptr + taken, text->len - taken);
    return line;
}

static void print_lines(printer *out, int indent, weir_str text)
{
    while (text.len) {
        weir_str line = next_line(&text);
        print(out, "%*s *", indent, "");
        print_line(out, line);
        print(out, "\n");
    }
}

void print_comment(const schema *s, printer *out, const file *f, path at, int indent,
                   const char *more)
{
    const location *found = s->opts->comments ? find_location(f, at) : NULL;
    weir_str parts[] = {found ? found->leading_comments : (weir_str){0},
                        found ? found->trailing_comments : (weir_str){0}, weir_str_from(more)};
    weir_str all = weir_str_from(format(s->mem, "%.*s%.*s%.*s", WEIR_STR_ARGS(parts[0]),
                                        WEIR_STR_ARGS(parts[1]), WEIR_STR_ARGS(parts[2])));
    if (all.len == 0)
        return;
    weir_str rest = all, first = next_line(&rest);
    print(out, "%*s/**", indent, "");
    if (rest.len == 0) {
        print_line(out, first);
        print(out, " */\n");
        return;
    }
    print(out, "\n");
    print_lines(out, indent, all);
    print(out, "%*s */\n", indent, "");
}
