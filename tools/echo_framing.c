#include "echo_framing.h"

#include <stdlib.h>
#include <string.h>

static int64_t next_raw(const struct framing *framing WEIR_UNUSED, const weir_buf *in)
{
    return (int64_t)weir_buf_len(in);
}

static int64_t next_line(const struct framing *framing WEIR_UNUSED, const weir_buf *in)
{
    int64_t at = weir_buf_find(in, 0, WEIR_STR("\n"));
    if (at >= FRAMING_MAX || (at < 0 && weir_buf_len(in) >= FRAMING_MAX))
        return -1;
    return at + 1;
}

/** A length of four bytes, most significant first, and so many bytes. */
static int64_t next_length(const struct framing *framing WEIR_UNUSED, const weir_buf *in)
{
    uint32_t len;
    if (!weir_buf_peek_u32(in, &len))
        return 0;
    if (len > FRAMING_MAX)
        return -1;
    return weir_buf_len(in) < 4 + (size_t)len ? 0 : 4 + (int64_t)len;
}

static int64_t next_fixed(const struct framing *framing, const weir_buf *in)
{
    return weir_buf_len(in) < framing->fixed ? 0 : (int64_t)framing->fixed;
}

static bool read_fixed(struct framing *out, const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '1' || *text > '9' || *end != '\0' || n > FRAMING_MAX)
        return false;
    *out = (struct framing){next_fixed, n};
    return true;
}

bool framing_read(struct framing *out, const char *text)
{
    static const struct {
        const char *name;
        struct framing framing;
    } named[] = {{"raw", {next_raw, 0}}, {"line", {next_line, 0}}, {"length", {next_length, 0}}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        if (strcmp(text, named[i].name) == 0) {
            *out = named[i].framing;
            return true;
        }
    return strncmp(text, "fixed:", 6) == 0 && read_fixed(out, text + 6);
}
