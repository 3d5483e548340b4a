#include "password.h"

#include <stdatomic.h>

#include "test.h"

static password_gate *gate(unsigned at_once, unsigned waiting)
{
    password_gate *made;
    assert_ok(password_gate_new(&made, at_once, waiting));
    return made;
}

TEST(password, matches_itself_only)
{
    char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX];
    password_gate *g = gate(1, 1);
    assert_ok(password_hash(g, WEIR_STR("correct horse"), 10, hash));
    assert_ok(password_check(g, WEIR_STR("correct horse"), weir_str_from(hash)));
    assert_err(password_check(g, WEIR_STR("correct horsf"), weir_str_from(hash)), WEIR_EACCES);
    assert_err(password_check(g, WEIR_STR(""), weir_str_from(hash)), WEIR_EACCES);
    assert_ok(password_hash(g, WEIR_STR("correct horse"), 10, again));
    assert_string_not_equal(hash, again); /* its salt is its own */
    password_gate_free(g);
}

TEST(password, says_how_it_was_made)
{
    char hash[PASSWORD_HASH_MAX];
    password_gate *g = gate(1, 1);
    assert_ok(password_hash(g, WEIR_STR("x"), 11, hash));
    assert_memory_equal(hash, "scrypt:11:", 10);
    assert_err(password_hash(g, WEIR_STR("x"), 9, hash), WEIR_EINVAL);
    assert_err(password_hash(g, WEIR_STR("x"), 21, hash), WEIR_EINVAL);
    password_gate_free(g);
}

/* RFC 7914, section 12, has N 1024 and 16384 with other r or p; this is "password" with "NaCl"
 * padded to our salt's length, made by another implementation (Python's hashlib.scrypt). */
TEST(password, is_what_others_make_of_it)
{
    password_gate *g = gate(1, 1);
    assert_ok(password_check(
        g, WEIR_STR("password"),
        WEIR_STR("scrypt:10:4e61436c000000000000000000000000:"
                 "48fbefc98d3dd79163b51091b485f520fcfc1dde9bfdd6bb6a050add3b582f54")));
    password_gate_free(g);
}

TEST(password, malformed_hashes_match_nothing)
{
    static const char *const hashes[] = {
        "",
        "scrypt",
        "scrypt:10:",
        "scrypt:99:00:00",
        "md5:10:00:00",
        "scrypt:10:0000000000000000000000000000000g:"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "scrypt:09:00000000000000000000000000000000:"
        "0000000000000000000000000000000000000000000000000000000000000000"};
    password_gate *g = gate(1, 1);
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        assert_err(password_check(g, WEIR_STR(""), weir_str_from(hashes[i])), WEIR_EACCES);
    password_gate_free(g);
}

typedef struct crowd {
    password_gate *gate;
    atomic_int refused, done;
} crowd;

static void hash_one(void *user)
{
    crowd *self = user;
    char hash[PASSWORD_HASH_MAX];
    weir_err err = password_hash(self->gate, WEIR_STR("x"), 14, hash);
    if (err == WEIR_EFULL)
        atomic_fetch_add(&self->refused, 1);
    else if (!err)
        atomic_fetch_add(&self->done, 1);
}

TEST(password, few_are_made_at_once_and_few_wait)
{
    crowd c = {.gate = gate(1, 2)};
    weir_thread *threads[24];
    for (int i = 0; i < 24; i++)
        assert_ok(weir_thread_start(&threads[i], "hash", hash_one, &c));
    for (int i = 0; i < 24; i++)
        weir_thread_join(threads[i]);
    assert_int_equal(c.refused + c.done, 24);
    assert_true(c.refused > 0);
    assert_true(c.done >= 3);
    password_gate_free(c.gate);
}
