#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/base.h>

static const char usage[] =
    "usage: weir-chat-robot [options]\n"
    "\n"
    "Many users of a weir-chatd: they register, meet in rooms and send. Says what was lost,\n"
    "repeated or out of order, and how long it took. Exit status 1 when anything was.\n"
    "\n"
    "  --server ADDR:PORT   default 127.0.0.1:50051\n"
    "  --users N            default 100\n"
    "  --rooms N            default a tenth of the users\n"
    "  --room-size N        members of each; default 10. The first 16 of them send\n"
    "  --direct N           instead of rooms: each user writes to N others\n"
    "  --fan-out N          instead: one room of N users, in which one message at a time is sent;\n"
    "                       says when the median, 99 % and the last of them have it\n"
    "  --rate N[,N...]      messages a second in all, default 50; 0: each sender sends the next\n"
    "                       one when the one before is answered. Several: one run after the other,\n"
    "                       each with a result\n"
    "  --seconds N          of sending; default 10\n"
    "  --settle N           seconds of silence before; default 1\n"
    "  --text-bytes N       of a message, default 100, at most 4096\n"
    "  --logins N           at a time; default 32\n"
    "  --loops N            threads; default 2\n"
    "  --prefix NAME        of the users' and rooms' names; default \"robot\"\n"
    "  --password TEXT      of all of them; default \"robot-password\"\n"
    "  --json               the result as one JSON object\n"
    "  --help, --version\n"
    "\n"
    "The server's limits are for people: start it with --login-rate 1000000\n"
    "--send-rate 1000000 --password-cost 10. Progress goes to the error output.\n";

/** Options with a number: the field, and its bounds. */
typedef struct number_row {
    size_t field;
    unsigned min, max;
} number_row;

#define ROW(field, min, max)                                                                       \
    {                                                                                              \
        offsetof(options, field), (min), (max)                                                     \
    }

static const number_row numbers[] = {
    ROW(users, 2, 100000), ROW(rooms, 1, 100000),    ROW(room_size, 2, 100000),
    ROW(direct, 1, 64),    ROW(fan_out, 2, 100000),  ROW(seconds, 1, 86400),
    ROW(settle, 0, 3600),  ROW(text_bytes, 1, 4096), ROW(logins, 1, 10000),
    ROW(loops, 1, 64),
};

enum {
    NUMBERS = sizeof numbers / sizeof *numbers,
    OPT_RATE = 100,
    OPT_SERVER,
    OPT_PREFIX,
    OPT_PASSWORD,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION
};

/** The first ones in the order of `numbers`. */
static const struct option long_options[] = {
    {"users", required_argument, NULL, 0},
    {"rooms", required_argument, NULL, 1},
    {"room-size", required_argument, NULL, 2},
    {"direct", required_argument, NULL, 3},
    {"fan-out", required_argument, NULL, 4},
    {"seconds", required_argument, NULL, 5},
    {"settle", required_argument, NULL, 6},
    {"text-bytes", required_argument, NULL, 7},
    {"logins", required_argument, NULL, 8},
    {"loops", required_argument, NULL, 9},
    {"rate", required_argument, NULL, OPT_RATE},
    {"server", required_argument, NULL, OPT_SERVER},
    {"prefix", required_argument, NULL, OPT_PREFIX},
    {"password", required_argument, NULL, OPT_PASSWORD},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

static WEIR_NORETURN void bad_usage(const char *what, const char *value)
{
    fprintf(stderr, "weir-chat-robot: %s: %s (see --help)\n", what, value);
    exit(2);
}

static unsigned number(const char *name, const char **text, unsigned min, unsigned max)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(*text, &end, 10);
    if (end == *text || **text == '-' || errno || value < min || value > max)
        bad_usage(name, *text);
    *text = end;
    return (unsigned)value;
}

static void read_number(options *self, int index)
{
    const number_row *row = &numbers[index];
    const char *text = optarg;
    unsigned value = number(long_options[index].name, &text, row->min, row->max);
    if (*text)
        bad_usage(long_options[index].name, optarg);
    *(unsigned *)(void *)((char *)self + row->field) = value;
}

static void read_rates(options *self)
{
    const char *text = optarg;
    self->rate_count = 0;
    do {
        if (self->rate_count == OPTIONS_RATES)
            bad_usage("too many rates", optarg);
        text += self->rate_count > 0;
        self->rates[self->rate_count++] = number("rate", &text, 0, 1000000);
    } while (*text == ',');
    if (*text)
        bad_usage("rate", optarg);
}

static void read_option(options *self, int option, const char *argument)
{
    switch (option) {
    case OPT_RATE:
        read_rates(self);
        break;
    case OPT_SERVER:
        self->server = optarg;
        break;
    case OPT_PREFIX:
        self->prefix = optarg;
        break;
    case OPT_PASSWORD:
        self->password = optarg;
        break;
    case OPT_JSON:
        self->json = true;
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    case OPT_VERSION:
        puts("weir-chat-robot " CHAT_VERSION);
        exit(0);
    default:
        if (option < 0 || option >= NUMBERS)
            bad_usage("unknown option, or its value is missing", argument);
        read_number(self, option);
    }
}

static void check(options *self)
{
    if (self->fan_out > 0) {
        self->users = self->room_size = self->fan_out;
        self->rooms = 1;
        self->direct = 0;
    }
    if (self->rooms == 0)
        self->rooms = self->users < 10 ? 1 : self->users / 10;
    if (self->direct == 0 && self->room_size > self->users)
        self->room_size = self->users;
    if (strlen(self->prefix) > 20)
        bad_usage("--prefix is longer than 20 bytes", self->prefix);
    if (strlen(self->password) < 8 || strlen(self->password) > 128)
        bad_usage("--password is 8 to 128 bytes", self->password);
    if (self->loops > self->users)
        self->loops = self->users;
}

void options_read(options *self, int argc, char **argv)
{
    *self = (options){
        .server = "127.0.0.1:50051",
        .prefix = "robot",
        .password = "robot-password",
        .users = 100,
        .room_size = 10,
        .rates = {50},
        .rate_count = 1,
        .seconds = 10,
        .settle = 1,
        .text_bytes = 100,
        .logins = 32,
        .loops = 2,
    };
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        read_option(self, option, argv[optind - 1]);
    if (optind < argc)
        bad_usage("unexpected argument", argv[optind]);
    check(self);
}
