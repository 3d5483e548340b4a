#include <weir/base/str.h>

#include <stdint.h>

#define HIGH_BITS 0x8080808080808080u

int weir_str_cmp(weir_str a, weir_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/** Length of the sequence of two to four bytes at `p`; 0: ill-formed (Unicode, table 3-7). */
static size_t multibyte_len(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0], low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t len;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    if (lead < 0xE0) {
        len = 2;
    } else if (lead < 0xF0) {
        len = 3;
        low = lead == 0xE0 ? 0xA0 : low;   /* overlong */
        high = lead == 0xED ? 0x9F : high; /* surrogates */
    } else {
        len = 4;
        low = lead == 0xF0 ? 0x90 : low;   /* overlong */
        high = lead == 0xF4 ? 0x8F : high; /* above U+10FFFF */
    }
    if (left < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

/** Behind the whole words of ASCII that begin at `p`. */
static const unsigned char *skip_ascii_words(const unsigned char *p, const unsigned char *end)
{
    uint64_t word;
    while ((size_t)(end - p) >= sizeof word) {
        memcpy(&word, p, sizeof word);
        if (word & HIGH_BITS)
            break;
        p += sizeof word;
    }
    return p;
}

bool weir_str_is_utf8(weir_str s)
{
    if (s.len == 0)
        return true;
    const unsigned char *p = (const unsigned char *)s.ptr, *end = p + s.len;
    while ((p = skip_ascii_words(p, end)) < end) {
        /* At least one byte of this word is not ASCII, or fewer than a word are left. */
        while (p < end && *p < 0x80)
            p++;
        while (p < end && *p >= 0x80) {
            size_t len = multibyte_len(p, (size_t)(end - p));
            if (len == 0)
                return false;
            p += len;
        }
    }
    return true;
}
