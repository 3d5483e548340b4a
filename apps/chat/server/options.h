/**
 * @file
 * The command line of weir-chatd.
 */
#ifndef CHAT_SERVER_OPTIONS_H
#define CHAT_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    OPTIONS_MAX_ADMINS = 16
};

typedef struct options {
    const char *listen;
    const char *store;
    const char *bus;
    const char *presence; /* NULL: as the bus */
    const char *registry; /* as weir_server_register()'s; NULL: none */
    const char *advertise;
    const char *tls_cert; /* PEM; NULL: plaintext */
    const char *tls_key;
    const char *node;
    unsigned threads;
    unsigned password_cost;
    double login_rate; /* a second, from one address */
    double send_rate;  /* a second, of one user */
    int64_t drain_us;
    int64_t run_us;    /* stop by itself after so long; 0: never */
    int64_t system_us; /* between system notifications; 0: none */
    const char *admins[OPTIONS_MAX_ADMINS];
    unsigned admin_count;
    const char *command; /* "backup", "restore" or NULL: serve */
    const char *file;    /* of the command */
    char port_listen[32];
    char registry_url[4200];
} options;

/** Reads it; what is wrong is said on stderr, with exit status 2. --help and --version exit with 0.
 */
void options_read(options *self, int argc, char **argv);

#endif
