/* What a client may come back with, by the server's name. */
#include "tls_openssl.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    weir_list node;
    SSL_SESSION *session;
    char name[];
} entry;

static void drop(weir__tls_sessions *sessions, entry *e)
{
    weir_list_remove(&e->node);
    sessions->count--;
    SSL_SESSION_free(e->session);
    free(e);
}

static entry *find(weir__tls_sessions *sessions, const char *name)
{
    weir_list_each (node, next, &sessions->used) {
        entry *e = WEIR_CONTAINER_OF(node, entry, node);
        if (strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

void weir__tls_sessions_init(weir__tls_sessions *sessions, size_t max)
{
    pthread_mutex_init(&sessions->lock, NULL);
    weir_list_init(&sessions->used);
    sessions->count = 0;
    sessions->max = max;
}

void weir__tls_sessions_clear(weir__tls_sessions *sessions)
{
    pthread_mutex_lock(&sessions->lock);
    weir_list_each (node, next, &sessions->used)
        drop(sessions, WEIR_CONTAINER_OF(node, entry, node));
    pthread_mutex_unlock(&sessions->lock);
}

void weir__tls_sessions_fini(weir__tls_sessions *sessions)
{
    weir__tls_sessions_clear(sessions);
    pthread_mutex_destroy(&sessions->lock);
}

static entry *new_entry(const char *name, SSL_SESSION *session)
{
    size_t size = strlen(name) + 1;
    entry *e = malloc(sizeof *e + size);
    if (!e)
        return NULL;
    *e = (entry){.session = session};
    memcpy(e->name, name, size);
    return e;
}

void weir__tls_sessions_put(weir__tls_sessions *sessions, const char *name, SSL_SESSION *session)
{
    entry *e = new_entry(name, session);
    if (!e) {
        SSL_SESSION_free(session);
        return;
    }
    pthread_mutex_lock(&sessions->lock);
    entry *before = find(sessions, name);
    if (before)
        drop(sessions, before);
    else if (sessions->count >= sessions->max)
        drop(sessions, WEIR_CONTAINER_OF(sessions->used.next, entry, node));
    weir_list_append(&sessions->used, &e->node);
    sessions->count++;
    pthread_mutex_unlock(&sessions->lock);
}

/** A session of TLS 1.3 is used once, so that nobody can tell that two connections are of one
 * client (RFC 8446 C.4); the server gives new ones. */
static SSL_SESSION *take(weir__tls_sessions *sessions, entry *e)
{
    SSL_SESSION *session = e->session;
    SSL_SESSION_up_ref(session);
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
        drop(sessions, e);
    } else {
        weir_list_remove(&e->node);
        weir_list_append(&sessions->used, &e->node);
    }
    return session;
}

SSL_SESSION *weir__tls_sessions_get(weir__tls_sessions *sessions, const char *name)
{
    pthread_mutex_lock(&sessions->lock);
    entry *e = find(sessions, name);
    SSL_SESSION *session = e ? take(sessions, e) : NULL;
    pthread_mutex_unlock(&sessions->lock);
    return session;
}
