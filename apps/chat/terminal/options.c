#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "texts.h"

enum {
    RECENT_MAX = 200,
};

_Noreturn void options_refuse(const char *why)
{
    fprintf(stderr, text(TEXT_SEE_HELP), why);
    exit(2);
}

static uint64_t number(const char *from, uint64_t least, uint64_t most)
{
    char *end;
    unsigned long long value = strtoull(from, &end, 10);
    if (end == from || *end || *from == '-' || value < least || value > most)
        options_refuse(text(TEXT_BAD_NUMBER));
    return value;
}

static void set_language(const char *name)
{
    int language = text_language_named(name);
    if (language < 0)
        options_refuse(text(TEXT_MISSING_VALUE));
    text_set_language((text_language)language);
}

static _Noreturn void say_and_exit(const char *what)
{
    fputs(what, stdout);
    exit(0);
}

static void read_option(int option, options *o, bool *help)
{
    switch (option) {
    case 's':
        o->server = optarg;
        break;
    case 'u':
        o->user = optarg;
        break;
    case 'p':
        o->password = optarg;
        break;
    case 'R':
        o->registers = true;
        break;
    case 'r':
        o->room = optarg;
        break;
    case 't':
        o->to = optarg;
        break;
    case 'g':
        o->group = number(optarg, 1, UINT64_MAX);
        break;
    case 'n':
        o->recent = (unsigned)number(optarg, 0, RECENT_MAX);
        break;
    case 'l':
        set_language(optarg);
        break;
    case 'f':
        o->state = optarg;
        break;
    case 'S':
        o->tls = true;
        break;
    case 'c':
        o->ca = optarg;
        o->tls = true;
        break;
    case 'h':
        *help = true; /* in the language of a --lang behind it */
        break;
    case 'v':
        say_and_exit("weir-chat " CHAT_VERSION "\n");
    default:
        options_refuse(text(option == ':' ? TEXT_MISSING_VALUE : TEXT_BAD_OPTION));
    }
}

options options_read(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"server", required_argument, NULL, 's'},
        {"user", required_argument, NULL, 'u'},
        {"password", required_argument, NULL, 'p'},
        {"register", no_argument, NULL, 'R'},
        {"room", required_argument, NULL, 'r'},
        {"to", required_argument, NULL, 't'},
        {"group", required_argument, NULL, 'g'},
        {"recent", required_argument, NULL, 'n'},
        {"lang", required_argument, NULL, 'l'},
        {"state", required_argument, NULL, 'f'},
        {"tls", no_argument, NULL, 'S'},
        {"ca", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {0},
    };
    const char *login = getenv("USER");
    options o = {.server = "127.0.0.1:50051",
                 .user = login && *login ? login : "guest",
                 .password = getenv("WEIR_CHAT_PASSWORD"),
                 .room = "lobby"};
    bool help = false;
    text_set_language(text_language_of(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")));
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1;)
        read_option(option, &o, &help);
    if (help)
        say_and_exit(text(TEXT_USAGE));
    o.args = argv + optind;
    o.count = argc - optind;
    return o;
}
