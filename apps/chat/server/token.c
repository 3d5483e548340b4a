#include "token.h"

#include "crypto.h"

/* Lengths before they are encoded: id, generation, time, name, and what signs them. */
enum {
    NUMBERS = 24,
    NAME_MAX_BYTES = 32,
    MAC = 32,
    RAW_MAX = NUMBERS + NAME_MAX_BYTES + MAC
};

static void put64(unsigned char *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(value >> (56 - 8 * i));
}

static uint64_t get64(const unsigned char *from)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | from[i];
    return value;
}

static bool sign(const unsigned char secret[32], const unsigned char *bytes, size_t len,
                 unsigned char out[MAC])
{
    unsigned int made = 0;
    return HMAC(EVP_sha256(), secret, 32, bytes, len, out, &made) && made == MAC;
}

/* The URL-safe alphabet of RFC 4648, section 5, without padding. */

static weir_str encode(char out[TOKEN_MAX], const unsigned char *bytes, size_t len)
{
    int text_len = EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
    while (text_len > 0 && out[text_len - 1] == '=')
        text_len--;
    for (int i = 0; i < text_len; i++)
        out[i] = (char)(out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i]);
    return weir_str_of(out, (size_t)text_len);
}

/** @return the length; 0: not base64, or too long */
static size_t decode(weir_str token, unsigned char out[TOKEN_MAX])
{
    unsigned char text[TOKEN_MAX];
    size_t padded = (token.len + 3) / 4 * 4;
    if (token.len == 0 || token.len % 4 == 1 || padded > sizeof text ||
        padded / 4 * 3 > RAW_MAX + 2)
        return 0;
    for (size_t i = 0; i < padded; i++) {
        char c = i < token.len ? token.ptr[i] : '=';
        if ((c == '=' && i < token.len) || c == '+' || c == '/')
            return 0;
        text[i] = (unsigned char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    int len = EVP_DecodeBlock(out, text, (int)padded);
    return len < 0 ? 0 : (size_t)len - (padded - token.len);
}

weir_str token_make(char out[TOKEN_MAX], const unsigned char secret[32], const caller *who,
                    int64_t expires_us)
{
    unsigned char raw[RAW_MAX];
    size_t name_len = strlen(who->name);
    put64(raw, who->id);
    put64(raw + 8, who->generation);
    put64(raw + 16, (uint64_t)expires_us);
    memcpy(raw + NUMBERS, who->name, name_len);
    if (!sign(secret, raw, NUMBERS + name_len, raw + NUMBERS + name_len))
        return WEIR_STR("");
    return encode(out, raw, NUMBERS + name_len + MAC);
}

bool token_read(weir_str token, const unsigned char secret[32], int64_t now_us, caller *who)
{
    unsigned char raw[TOKEN_MAX], mac[MAC];
    size_t len = decode(token, raw);
    if (len <= NUMBERS + MAC || len > RAW_MAX)
        return false;
    size_t name_len = len - NUMBERS - MAC;
    if (!sign(secret, raw, len - MAC, mac) || CRYPTO_memcmp(mac, raw + len - MAC, MAC) != 0)
        return false;
    if ((int64_t)get64(raw + 16) <= now_us)
        return false;
    *who = (caller){.id = get64(raw), .generation = get64(raw + 8)};
    memcpy(who->name, raw + NUMBERS, name_len);
    return true;
}
