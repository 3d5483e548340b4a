/**
 * @file
 * Tokens: who the caller is, until when, signed (HMAC-SHA-256) with a secret that all nodes share.
 * Any node can check one without asking anybody; that an account's tokens were ended is seen where
 * the account is read anyway.
 */
#ifndef CHAT_SERVER_TOKEN_H
#define CHAT_SERVER_TOKEN_H

#include "model/accounts.h"

#define TOKEN_MAX 192

/** @param expires_us  microseconds since 1970 @return the text in `out`; empty: OpenSSL failed */
weir_str token_make(char out[TOKEN_MAX], const unsigned char secret[32], const caller *who,
                    int64_t expires_us);
/** @return false: not one of ours, or it has expired */
bool token_read(weir_str token, const unsigned char secret[32], int64_t now_us, caller *who);

#endif
