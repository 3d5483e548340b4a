/* "HOST:PORT,HOST:PORT/CHROOT", and the addresses behind it: the client is given numbers only,
 * because it would block while it looks names up. */
#include "zk_client.h"

#include <stdio.h>
#include <string.h>

static const char default_port[] = ":2181";

static weir_err read_host(char out[WEIR__ZK_HOST_TEXT], const char *text, size_t len, weir_why *why)
{
    const char *bracket = memchr(text, ']', len);
    const char *colon = memrchr(text, ':', len);
    bool port = colon && (!bracket || colon > bracket);
    if (len == 0 || colon == text || len + sizeof default_port > WEIR__ZK_HOST_TEXT)
        return weir_why_set(why, WEIR_EINVAL,
                            "\"%.*s\" is no HOST:PORT of ZooKeeper; write several with commas "
                            "between",
                            (int)(len > 60 ? 60 : len), text);
    snprintf(out, WEIR__ZK_HOST_TEXT, "%.*s%s", (int)len, text, port ? "" : default_port);
    return WEIR_OK;
}

static weir_err read_chroot(weir_zk *zk, const char *text, weir_why *why)
{
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '/')
        len--;
    if (len >= sizeof zk->chroot / 2)
        return weir_why_set(why, WEIR_EINVAL, "the path behind ZooKeeper's hosts is too long");
    memcpy(zk->chroot, text, len);
    zk->chroot_len = len;
    return WEIR_OK;
}

weir_err weir__zk_hosts_read(weir__zk_hosts *hosts, weir_zk *zk, const char *text, weir_why *why)
{
    hosts->zk = zk;
    for (;;) {
        size_t len = strcspn(text, ",/");
        if (hosts->count == WEIR__ZK_HOSTS)
            return weir_why_set(why, WEIR_EINVAL, "more than %d hosts of ZooKeeper",
                                WEIR__ZK_HOSTS);
        weir_err err = read_host(hosts->names[hosts->count], text, len, why);
        if (err)
            return err;
        hosts->count++;
        text += len;
        if (*text != ',')
            return read_chroot(zk, text, why);
        text++;
    }
}

/** "[::1]:2181" is "::1:2181" to the client. */
static void add(weir__zk_hosts *hosts, const weir_addr *addr)
{
    char text[WEIR_ADDR_TEXT_MAX], *from = text, *bracket;
    size_t used = strlen(hosts->servers);
    weir_addr_text(addr, text);
    if (*from == '[' && (bracket = strchr(from, ']'))) {
        memmove(bracket, bracket + 1, strlen(bracket));
        from++;
    }
    if (addr->storage.ss_family == AF_UNIX || used + strlen(from) + 2 > sizeof hosts->servers)
        return;
    sprintf(hosts->servers + used, "%s%s", used ? "," : "", from);
}

static void finished(weir__zk_hosts *hosts)
{
    if (--hosts->pending == 0)
        weir__zk_on_hosts(hosts->zk, hosts->servers[0] ? WEIR_OK : WEIR_ELOOKUP);
}

static void on_found(weir_err err, const weir_addr *addrs, size_t count, const char *why,
                     void *user)
{
    struct weir__zk_host_lookup *lookup = user;
    weir__zk_hosts *hosts = lookup->hosts;
    lookup->lookup = NULL;
    if (err)
        weir_why_set(&hosts->why, err, "%s", why);
    for (size_t i = 0; i < count; i++)
        add(hosts, &addrs[i]);
    finished(hosts);
}

void weir__zk_hosts_start(weir__zk_hosts *hosts)
{
    weir_addr addr;
    if (hosts->pending > 0)
        return;
    hosts->servers[0] = '\0';
    hosts->pending = 1; /* this call */
    for (size_t i = 0; i < hosts->count; i++) {
        if (weir_addr_parse(&addr, hosts->names[i], NULL) == WEIR_OK) {
            add(hosts, &addr);
            continue;
        }
        hosts->lookups[i].hosts = hosts;
        if (weir_lookup_start(&hosts->lookups[i].lookup, hosts->zk->loop, hosts->names[i],
                              &(weir_lookup_opts){.timeout_us = WEIR_SECONDS(4)}, on_found,
                              &hosts->lookups[i], &hosts->why) == WEIR_OK)
            hosts->pending++;
        hosts->named = true;
    }
    finished(hosts);
}

void weir__zk_hosts_stop(weir__zk_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        weir_lookup_cancel(hosts->lookups[i].lookup);
        hosts->lookups[i].lookup = NULL;
    }
    hosts->pending = 0;
}
