/* A line as a JSON object. */
#include "digits.h"
#include "log_impl.h"

#include <string.h>
#include <weir/base/str.h>

static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};

enum {
    UNIT_MAX = 6, /* bytes that one character may take: "\u001f" */
    TAIL_MAX = 8, /* "..." and what closes the object */
    NAME_MAX_BYTES = 1024
};

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

static char *put_number(char *at, unsigned number)
{
    char text[WEIR__DIGITS_MAX], *end = text + sizeof text;
    char *first = weir__digits_before(end, number);
    memcpy(at, first, (size_t)(end - first));
    return at + (end - first);
}

/** @return bytes of the character of several bytes that begins here; 0: it is not UTF-8 */
static size_t character_bytes(const unsigned char *text, size_t len)
{
    size_t bytes = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    return bytes <= len && weir_str_is_utf8(weir_str_of((const char *)text, bytes)) ? bytes : 0;
}

/** '"', '\\' and control characters. */
static char *put_escape(char *at, unsigned char c)
{
    static const char shorts[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char hex[] = "0123456789abcdef";
    *at++ = '\\';
    if (c >= ' ') {
        *at++ = (char)c;
    } else if (shorts[c]) {
        *at++ = shorts[c];
    } else {
        at = put_text(at, "u00");
        *at++ = hex[c >> 4];
        *at++ = hex[c & 15];
    }
    return at;
}

/** One character. @param used  bytes of `text` that it was */
static char *put_character(char *at, const unsigned char *text, size_t len, size_t *used)
{
    *used = 1;
    if (*text < ' ' || *text == '"' || *text == '\\')
        return put_escape(at, *text);
    if (*text < 0x80) {
        *at = (char)*text;
        return at + 1;
    }
    size_t bytes = character_bytes(text, len);
    if (bytes == 0)
        return put_text(at, "\xEF\xBF\xBD"); /* U+FFFD */
    memcpy(at, text, bytes);
    *used = bytes;
    return at + bytes;
}

/** What goes between quotes; cut with "..." where less than a character's room is left. */
static char *put_escaped(char *at, const char *end, const char *bytes, size_t len)
{
    const unsigned char *text = (const unsigned char *)bytes;
    size_t used;
    for (; len > 0; text += used, len -= used) {
        if (end - at < UNIT_MAX)
            return put_text(at, "...");
        at = put_character(at, text, len, &used);
    }
    return at;
}

static char *put_name(char *at, const char *key, const char *name)
{
    at = put_text(at, key);
    at = put_escaped(at, at + NAME_MAX_BYTES, name, strlen(name));
    return put_text(at, "\"");
}

size_t weir__log_json(char *out, weir__log_cache *cache, const weir__log_entry *entry, va_list args)
{
    char message[WEIR_LOG_LINE_MAX];
    const weir__log_site *site = entry->site;
    const char *end = out + WEIR_LOG_LINE_MAX - TAIL_MAX;
    bool controls;
    size_t len = weir__log_put_message(message, sizeof message - 1, entry, args, &controls);
    char *at = weir__log_put_time(put_text(out, "{\"time\":\""), cache);
    at = put_text(put_text(at, "\",\"level\":\""), levels[site->level]);
    at = put_text(at, "\",\"thread\":");
    memcpy(at, cache->thread, cache->thread_len);
    at += cache->thread_len;
    if (site->module)
        at = put_name(at, ",\"module\":\"", site->module);
    at = put_name(at, ",\"file\":\"", site->file);
    at = put_number(put_text(at, ",\"line\":"), (unsigned)site->line);
    at = put_escaped(put_text(at, ",\"message\":\""), end, message, len);
    at = put_text(at, "\"}\n");
    return (size_t)(at - out);
}
