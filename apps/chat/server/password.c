#include "password.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto.h"

enum {
    SALT = 16,
    KEY = 32,
    MIN_COST = 10,
    MAX_COST = 20
};

struct password_gate {
    pthread_mutex_t lock;
    pthread_cond_t free_place;
    unsigned places;
    unsigned waiting, max_waiting;
};

weir_err password_gate_new(password_gate **out, unsigned at_once, unsigned waiting)
{
    password_gate *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->free_place, NULL);
    self->places = at_once;
    self->max_waiting = waiting;
    *out = self;
    return WEIR_OK;
}

void password_gate_free(password_gate *self)
{
    if (!self)
        return;
    pthread_cond_destroy(&self->free_place);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static weir_err enter(password_gate *self)
{
    weir_err err = WEIR_OK;
    pthread_mutex_lock(&self->lock);
    if (self->places == 0 && self->waiting >= self->max_waiting) {
        err = WEIR_EFULL;
    } else {
        self->waiting++;
        while (self->places == 0)
            pthread_cond_wait(&self->free_place, &self->lock);
        self->waiting--;
        self->places--;
    }
    pthread_mutex_unlock(&self->lock);
    return err;
}

static void leave(password_gate *self)
{
    pthread_mutex_lock(&self->lock);
    self->places++;
    pthread_cond_signal(&self->free_place);
    pthread_mutex_unlock(&self->lock);
}

static weir_err derive(password_gate *gate, weir_str password, unsigned cost,
                       const unsigned char salt[SALT], unsigned char key[KEY])
{
    weir_err err = enter(gate);
    if (err)
        return err;
    uint64_t n = UINT64_C(1) << cost;
    int ok = EVP_PBE_scrypt(password.ptr ? password.ptr : "", password.len, salt, SALT, n, 8, 1,
                            n * 1024 + (1 << 20), key, KEY);
    leave(gate);
    return ok == 1 ? WEIR_OK : WEIR_EIO;
}

static void put_hex(char *to, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

static bool read_hex(const char *text, unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1)
            return false;
        bytes[i] = (unsigned char)value;
    }
    return true;
}

weir_err password_hash(password_gate *gate, weir_str password, unsigned cost,
                       char out[PASSWORD_HASH_MAX])
{
    unsigned char salt[SALT], key[KEY];
    char salt_text[2 * SALT + 1], key_text[2 * KEY + 1];
    if (cost < MIN_COST || cost > MAX_COST)
        return WEIR_EINVAL;
    if (RAND_bytes(salt, SALT) != 1)
        return WEIR_EIO;
    weir_err err = derive(gate, password, cost, salt, key);
    if (err)
        return err;
    put_hex(salt_text, salt, SALT);
    put_hex(key_text, key, KEY);
    snprintf(out, PASSWORD_HASH_MAX, "scrypt:%u:%s:%s", cost, salt_text, key_text);
    return WEIR_OK;
}

weir_err password_check(password_gate *gate, weir_str password, weir_str hash)
{
    unsigned char salt[SALT], key[KEY], made[KEY];
    char text[PASSWORD_HASH_MAX] = "", salt_text[2 * SALT + 1], key_text[2 * KEY + 1];
    unsigned cost;
    if (hash.len >= sizeof text)
        return WEIR_EACCES;
    memcpy(text, hash.ptr, hash.len);
    if (sscanf(text, "scrypt:%2u:%32[0-9a-f]:%64[0-9a-f]", &cost, salt_text, key_text) != 3 ||
        strlen(salt_text) != 2 * SALT || strlen(key_text) != 2 * KEY || cost < MIN_COST ||
        cost > MAX_COST || !read_hex(salt_text, salt, SALT) || !read_hex(key_text, key, KEY))
        return WEIR_EACCES;
    weir_err err = derive(gate, password, cost, salt, made);
    if (err)
        return err;
    return CRYPTO_memcmp(key, made, KEY) == 0 ? WEIR_OK : WEIR_EACCES;
}
