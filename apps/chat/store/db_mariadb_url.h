/**
 * @file
 * The parts of a "mariadb://..." URL.
 */
#ifndef CHAT_STORE_DB_MARIADB_URL_H
#define CHAT_STORE_DB_MARIADB_URL_H

#include <weir/base/base.h>

/** What is longer is refused. */
typedef struct db_mariadb_url {
    char user[128];
    char password[256];
    char host[256]; /* empty with a socket */
    char socket[108];
    char database[65]; /* letters, digits, '_' and '-' */
    unsigned port;     /* 3306 if the URL has none */
} db_mariadb_url;

/** user, password and socket may have %XX in them. @errors WEIR_EINVAL */
WEIR_MUST_CHECK weir_err db_mariadb_url_parse(db_mariadb_url *out, const char *url, weir_why *why);

#endif
