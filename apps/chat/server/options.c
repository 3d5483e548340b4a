#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/base.h>

static const char usage[] =
    "usage: weir-chatd [options]                   serve\n"
    "       weir-chatd backup FILE [--store ...]   copy a SQLite store that may be in use\n"
    "       weir-chatd restore FILE [--store ...]  put such a copy in its place; nobody may use it\n"
    "\n"
    "Chat and notifications over gRPC (weir.chat.v1).\n"
    "\n"
    "  --listen ADDR:PORT     default 127.0.0.1:50051; port 0 takes any free one\n"
    "  --port N               the same as --listen 127.0.0.1:N\n"
    "  --store sqlite:PATH    where everything is kept; default sqlite:weir-chat.db\n"
    "  --store mariadb://USER:PASSWORD@HOST:PORT/DATABASE\n"
    "  --bus local            how nodes reach each other; default: there is one node\n"
    "  --bus redis://[:PASSWORD@]HOST:PORT or redis+unix://PATH\n"
    "  --presence URL         who is online; local, or Redis; default: as --bus\n"
    "  --registry file:PATH | zk:HOST:PORT,...  where this node is announced; default: nowhere\n"
    "  --advertise ADDR:PORT  how others reach it; default: where it listens\n"
    "  --node NAME            default: the address it listens on\n"
    "  --tls-cert FILE        PEM: the certificate and those between it and the root; with it\n"
    "  --tls-key FILE         its key, TLS is served instead of plaintext; SIGHUP reads both anew\n"
    "  --threads N            serving threads; default one per CPU\n"
    "  --admin NAME           may see counters and drain; repeatable\n"
    "  --login-rate N         log-ins a second from one address; default 50\n"
    "  --send-rate N          messages a second of one user, and twice as many other calls; default 50\n"
    "  --password-cost N      scrypt's log2(N), 10 to 20, of new passwords; default 14\n"
    "  --drain S              seconds that clients have to go elsewhere at a stop; default 3\n"
    "  --system-interval S    seconds between system notifications; default 30, 0 for none\n"
    "  --for Ns               stop by itself after N seconds\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM or SIGINT stops gracefully; a second one at once.\n";

enum {
    OPT_LISTEN = 1,
    OPT_PORT,
    OPT_STORE,
    OPT_BUS,
    OPT_PRESENCE,
    OPT_REGISTRY,
    OPT_ADVERTISE,
    OPT_NODE,
    OPT_TLS_CERT,
    OPT_TLS_KEY,
    OPT_THREADS,
    OPT_ADMIN,
    OPT_LOGIN_RATE,
    OPT_SEND_RATE,
    OPT_PASSWORD_COST,
    OPT_DRAIN,
    OPT_SYSTEM,
    OPT_FOR,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"port", required_argument, NULL, OPT_PORT},
    {"store", required_argument, NULL, OPT_STORE},
    {"bus", required_argument, NULL, OPT_BUS},
    {"presence", required_argument, NULL, OPT_PRESENCE},
    {"registry", required_argument, NULL, OPT_REGISTRY},
    {"advertise", required_argument, NULL, OPT_ADVERTISE},
    {"node", required_argument, NULL, OPT_NODE},
    {"tls-cert", required_argument, NULL, OPT_TLS_CERT},
    {"tls-key", required_argument, NULL, OPT_TLS_KEY},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"admin", required_argument, NULL, OPT_ADMIN},
    {"login-rate", required_argument, NULL, OPT_LOGIN_RATE},
    {"send-rate", required_argument, NULL, OPT_SEND_RATE},
    {"password-cost", required_argument, NULL, OPT_PASSWORD_COST},
    {"drain", required_argument, NULL, OPT_DRAIN},
    {"system-interval", required_argument, NULL, OPT_SYSTEM},
    {"for", required_argument, NULL, OPT_FOR},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

static WEIR_NORETURN void bad_usage(const char *what, const char *value)
{
    fprintf(stderr, "weir-chatd: %s: %s (see --help)\n", what, value);
    exit(2);
}

/** A number from `min` to `max`, with an optional "s" for seconds. */
static long number(const char *name, const char *text, long min, long max, bool seconds)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end != text && *end == 's' && seconds)
        end++;
    if (end == text || *end || errno || value < min || value > max)
        bad_usage(name, text);
    return value;
}

/** "file:PATH" and "zk:HOSTS" as the targets that weir_server_register() takes. */
static void read_registry(options *opts, const char *text)
{
    char path[PATH_MAX] = "";
    int len = -1;
    if (strncmp(text, "zk:", 3) == 0) {
        const char *hosts = text + 3 + (strncmp(text + 3, "//", 2) == 0 ? 2 : 0);
        const char *root = strchr(hosts, '/') ? "" : "/weir/services";
        len = snprintf(opts->registry_url, sizeof opts->registry_url, "zk://%s%s", hosts, root);
    } else if (strncmp(text, "file:///", 8) == 0) {
        len = snprintf(opts->registry_url, sizeof opts->registry_url, "%s", text);
    } else if (strncmp(text, "file:", 5) == 0 && text[5] == '/') {
        len = snprintf(opts->registry_url, sizeof opts->registry_url, "file://%s", text + 5);
    } else if (strncmp(text, "file:", 5) == 0 && text[5] && realpath(".", path)) {
        len =
            snprintf(opts->registry_url, sizeof opts->registry_url, "file://%s/%s", path, text + 5);
    }
    if (len < 0 || (size_t)len >= sizeof opts->registry_url)
        bad_usage("--registry is file:PATH or zk:HOST:PORT,...", text);
    opts->registry = opts->registry_url;
}

/** "redis:redis://..." is "redis://..." too, and "mariadb:mariadb://..." likewise. */
static const char *skip_kind(const char *url, const char *kind)
{
    size_t len = strlen(kind);
    return strncmp(url, kind, len) == 0 && strncmp(url + len, kind, len - 1) == 0 ? url + len : url;
}

static void add_admin(options *opts, const char *name)
{
    if (opts->admin_count == OPTIONS_MAX_ADMINS)
        bad_usage("too many --admin", name);
    opts->admins[opts->admin_count++] = name;
}

static bool read_number(options *opts, int option)
{
    switch (option) {
    case OPT_PORT:
        snprintf(opts->port_listen, sizeof opts->port_listen, "127.0.0.1:%ld",
                 number("--port", optarg, 0, 65535, false));
        opts->listen = opts->port_listen;
        break;
    case OPT_THREADS:
        opts->threads = (unsigned)number("--threads", optarg, 0, 1024, false);
        break;
    case OPT_LOGIN_RATE:
        opts->login_rate = (double)number("--login-rate", optarg, 1, 1000000, false);
        break;
    case OPT_SEND_RATE:
        opts->send_rate = (double)number("--send-rate", optarg, 1, 1000000, false);
        break;
    case OPT_PASSWORD_COST:
        opts->password_cost = (unsigned)number("--password-cost", optarg, 10, 20, false);
        break;
    case OPT_DRAIN:
        opts->drain_us = WEIR_SECONDS(number("--drain", optarg, 0, 600, true));
        break;
    case OPT_SYSTEM:
        opts->system_us = WEIR_SECONDS(number("--system-interval", optarg, 0, 86400, true));
        break;
    case OPT_FOR:
        opts->run_us = WEIR_SECONDS(number("--for", optarg, 0, 86400, true));
        break;
    default:
        return false;
    }
    return true;
}

static void read_option(options *opts, int option, const char *argument)
{
    switch (option) {
    case OPT_LISTEN:
        opts->listen = optarg;
        break;
    case OPT_STORE:
        opts->store = skip_kind(optarg, "mariadb:");
        break;
    case OPT_BUS:
        opts->bus = skip_kind(optarg, "redis:");
        break;
    case OPT_PRESENCE:
        opts->presence = skip_kind(optarg, "redis:");
        break;
    case OPT_REGISTRY:
        read_registry(opts, optarg);
        break;
    case OPT_ADVERTISE:
        opts->advertise = optarg;
        break;
    case OPT_NODE:
        opts->node = optarg;
        break;
    case OPT_TLS_CERT:
        opts->tls_cert = optarg;
        break;
    case OPT_TLS_KEY:
        opts->tls_key = optarg;
        break;
    case OPT_ADMIN:
        add_admin(opts, optarg);
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    case OPT_VERSION:
        puts("weir-chatd " CHAT_VERSION);
        exit(0);
    default:
        if (!read_number(opts, option))
            bad_usage("unknown option, or its value is missing", argument);
    }
}

static void read_command(options *opts, char **args, int count)
{
    if (count == 0)
        return;
    opts->command = args[0];
    if (strcmp(args[0], "backup") != 0 && strcmp(args[0], "restore") != 0)
        bad_usage("unexpected argument", args[0]);
    if (count != 2)
        bad_usage(args[0], "takes one FILE");
    opts->file = args[1];
}

void options_read(options *self, int argc, char **argv)
{
    *self = (options){
        .listen = "127.0.0.1:50051",
        .store = "sqlite:weir-chat.db",
        .bus = "local",
        .login_rate = 50,
        .send_rate = 50,
        .password_cost = 14,
        .drain_us = WEIR_SECONDS(3),
        .system_us = WEIR_SECONDS(30),
    };
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        read_option(self, option, argv[optind - 1]);
    read_command(self, argv + optind, argc - optind);
    if (!self->tls_cert != !self->tls_key)
        bad_usage("--tls-cert and --tls-key go together",
                  self->tls_cert ? self->tls_cert : self->tls_key);
    if (!self->presence)
        self->presence = self->bus;
}
