#include "token.h"

#include <stdio.h>

#include "test.h"

static const unsigned char SECRET[32] = "a secret that all nodes share..";
static const unsigned char OTHER[32] = "a secret that all nodes share.,";
static const caller ANN = {.id = UINT64_C(0x7123456789abcdef), .generation = 3, .name = "ann"};

enum {
    NOW = 1000000
};

TEST(token, says_who_it_is_for)
{
    char text[TOKEN_MAX];
    caller who;
    weir_str token = token_make(text, SECRET, &ANN, NOW + 1);
    assert_true(token.len > 0 && token.len < TOKEN_MAX);
    assert_true(token_read(token, SECRET, NOW, &who));
    assert_int_equal(who.id, ANN.id);
    assert_int_equal(who.generation, 3);
    assert_string_equal(who.name, "ann");
}

TEST(token, names_of_every_length_fit)
{
    for (size_t len = 1; len <= 32; len++) {
        char text[TOKEN_MAX];
        caller who, named = {.id = 1};
        memset(named.name, 'x', len);
        weir_str token = token_make(text, SECRET, &named, NOW + 1);
        assert_true(token_read(token, SECRET, NOW, &who));
        assert_string_equal(who.name, named.name);
    }
}

TEST(token, expires)
{
    char text[TOKEN_MAX];
    caller who;
    weir_str token = token_make(text, SECRET, &ANN, NOW);
    assert_true(token_read(token, SECRET, NOW - 1, &who));
    assert_false(token_read(token, SECRET, NOW, &who));
}

TEST(token, of_another_secret_is_refused)
{
    char text[TOKEN_MAX];
    caller who;
    assert_false(token_read(token_make(text, OTHER, &ANN, NOW + 1), SECRET, NOW, &who));
}

/* Every single change of a character, and every shorter or longer text. */
TEST(token, that_was_changed_is_refused)
{
    static const char alphabet[] = "AZaz09-_+/=. \n\xff";
    char text[TOKEN_MAX], changed[TOKEN_MAX + 8];
    caller who;
    weir_str token = token_make(text, SECRET, &ANN, NOW + 1);
    for (size_t i = 0; i < token.len; i++) {
        for (size_t c = 0; c < sizeof alphabet; c++) {
            memcpy(changed, token.ptr, token.len);
            changed[i] = alphabet[c];
            if (changed[i] == token.ptr[i])
                continue;
            bool good = token_read(weir_str_of(changed, token.len), SECRET, NOW, &who);
            /* The last character has bits that mean nothing: the same bytes, or refused. */
            assert_true(!good || i == token.len - 1);
        }
        assert_false(token_read(weir_str_of(token.ptr, i), SECRET, NOW, &who));
    }
    memcpy(changed, token.ptr, token.len);
    memcpy(changed + token.len, "AAAAAAAA", 8);
    for (size_t more = 1; more <= 8; more++)
        assert_false(token_read(weir_str_of(changed, token.len + more), SECRET, NOW, &who));
}

TEST(token, that_is_noise_is_refused)
{
    char noise[2 * TOKEN_MAX];
    caller who;
    uint64_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        size_t len = weir_random_below(&seed, sizeof noise);
        for (size_t i = 0; i < len; i++)
            noise[i] = (char)weir_random_next(&seed);
        assert_false(token_read(weir_str_of(noise, len), SECRET, NOW, &who));
    }
}
