/**
 * @file
 * What the server uses of OpenSSL's libcrypto.
 */
#ifndef CHAT_SERVER_CRYPTO_H
#define CHAT_SERVER_CRYPTO_H

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#endif
