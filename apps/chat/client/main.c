/* weir-chat: the terminal client. Lines in, lines out. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weir/weir.h>

#include "lines.h"
#include "show.h"
#include "weir/chat/v1/chat.weir.h"

typedef struct options {
    const char *server;
    const char *user;
    const char *room;
    unsigned recent;
} options;

static const char usage[] =
    "usage: weir-chat [options]                          talk in a room\n"
    "       weir-chat [options] subscribe TOPIC...       hear notifications\n"
    "       weir-chat [options] notify TOPIC TITLE BODY  send one\n"
    "\n"
    "  --server ADDR:PORT  default 127.0.0.1:50051\n"
    "  --user NAME         default: the login name\n"
    "  --room NAME         default lobby\n"
    "  --recent N          show the last N stored messages first; at most 100\n"
    "  --help, --version\n"
    "\n"
    "In a room each line of input is a message; the end of the input leaves.\n";

/** Prints why a call failed. @return the exit status */
static int ended(const weir_status *status)
{
    if (status->code == WEIR_STATUS_OK)
        return 0;
    fprintf(stderr, "weir-chat: %s: %s\n", weir_status_name(status->code),
            weir_status_text(status));
    return 1;
}

static int failed(weir_err err)
{
    fprintf(stderr, "weir-chat: %s\n", weir_err_text(err));
    return 1;
}

static int finish(weir_stream *stream)
{
    weir_arena *mem = weir_arena_new();
    if (!mem)
        return failed(WEIR_ENOMEM);
    weir_status status = weir_stream_finish(stream, mem);
    int result = ended(&status);
    weir_arena_free(mem);
    return result;
}

/* Notifications. */

static int notify(weir_channel *channel, const options *opts, char **args)
{
    chat_send_request request = {
        .user = weir_str_from(opts->user),
        .topic = weir_str_from(args[0]),
        .title = weir_str_from(args[1]),
        .body = weir_str_from(args[2]),
    };
    weir_arena *mem = weir_arena_new();
    if (!mem)
        return failed(WEIR_ENOMEM);
    chat_send_response *reply;
    weir_status status =
        chat_notification_service_send_notification(channel, mem, &request, &reply, NULL);
    if (status.code == WEIR_STATUS_OK)
        printf("sent %.*s to %u subscriber%s\n", WEIR_STR_ARGS(reply->id), reply->delivered,
               reply->delivered == 1 ? "" : "s");
    int result = ended(&status);
    weir_arena_free(mem);
    return result;
}

static int subscribe(weir_channel *channel, const options *opts, char **topics, int count)
{
    weir_arena *mem = weir_arena_new();
    weir_str *names = mem ? weir_arena_zalloc(mem, (size_t)count * sizeof *names) : NULL;
    if (!names) {
        weir_arena_free(mem);
        return failed(WEIR_ENOMEM);
    }
    for (int i = 0; i < count; i++)
        names[i] = weir_str_from(topics[i]);
    chat_subscribe_request request = {
        .user = weir_str_from(opts->user),
        .topics = {names, (size_t)count},
        .recent = opts->recent,
    };
    weir_stream *stream;
    weir_err err = chat_notification_service_subscribe_stream_open(
        &stream, channel, &request, &(weir_call_opts){.timeout_us = -1});
    weir_arena_reset(mem);
    chat_notification *note;
    while (!err && !(err = chat_notification_service_subscribe_stream_read(stream, mem, &note))) {
        show_notification(stdout, note);
        weir_arena_reset(mem);
    }
    int result = 1;
    if (err == WEIR_ECLOSED) {
        result = finish(stream);
        weir_stream_free(stream);
    } else {
        failed(err);
    }
    weir_arena_free(mem);
    return result;
}

/* Rooms. */

/** A stream with the thread that prints what is said. */
typedef struct room {
    weir_stream *stream;
    int ended[2]; /* a pipe: its reading end is readable when the stream is over */
} room;

static void listen_room(void *user)
{
    room *r = user;
    weir_arena *mem = weir_arena_new();
    chat_chat_message *message;
    while (mem && chat_chat_service_chat_stream_read(r->stream, mem, &message) == WEIR_OK) {
        show_message(stdout, message);
        weir_arena_reset(mem);
    }
    weir_arena_free(mem);
    close(r->ended[1]);
}

/** Joins, and says what is typed, until the input or the stream ends. */
static weir_err say_lines(const room *r, const options *opts)
{
    chat_chat_message message = {
        .user = weir_str_from(opts->user),
        .room = weir_str_from(opts->room),
        .recent = opts->recent,
    };
    weir_err err = chat_chat_service_chat_stream_write(r->stream, &message);
    lines input = {.fd = STDIN_FILENO, .stop_fd = r->ended[0]};
    while (!err && lines_next(&input, &message.text)) {
        if (message.text.len > 0)
            err = chat_chat_service_chat_stream_write(r->stream, &message);
    }
    return err == WEIR_ECLOSED ? WEIR_OK : err; /* why it closed comes with the status */
}

static int talk(weir_channel *channel, const options *opts)
{
    room r;
    weir_thread *listener = NULL;
    if (pipe2(r.ended, O_CLOEXEC))
        return failed(weir_err_from_errno(errno));
    weir_err err =
        chat_chat_service_chat_stream_open(&r.stream, channel, &(weir_call_opts){.timeout_us = -1});
    if (err)
        return failed(err);
    err = weir_thread_start(&listener, "listen", listen_room, &r);
    if (!err)
        err = say_lines(&r, opts);
    weir_stream_half_close(r.stream);
    weir_thread_join(listener);
    int result = finish(r.stream);
    weir_stream_free(r.stream);
    close(r.ended[0]);
    return err ? failed(err) : result;
}

/* The command line. */

static WEIR_NORETURN void bad_usage(const char *why)
{
    fprintf(stderr, "weir-chat: %s (see --help)\n", why);
    exit(2);
}

static void read_option(int option, options *opts)
{
    switch (option) {
    case 's':
        opts->server = optarg;
        break;
    case 'u':
        opts->user = optarg;
        break;
    case 'r':
        opts->room = optarg;
        break;
    case 'n': {
        char *end;
        unsigned long recent = strtoul(optarg, &end, 10);
        if (end == optarg || *end || recent > 100)
            bad_usage("--recent takes a number from 0 to 100");
        opts->recent = (unsigned)recent;
        break;
    }
    case 'h':
        fputs(usage, stdout);
        exit(0);
    case 'v':
        puts("weir-chat " CHAT_VERSION);
        exit(0);
    default:
        bad_usage("unknown option");
    }
}

static int run(weir_channel *channel, const options *opts, char **args, int count)
{
    if (count == 0)
        return talk(channel, opts);
    if (strcmp(args[0], "subscribe") == 0 && count > 1)
        return subscribe(channel, opts, args + 1, count - 1);
    if (strcmp(args[0], "notify") == 0 && count == 4)
        return notify(channel, opts, args + 1);
    bad_usage("expected nothing, subscribe TOPIC..., or notify TOPIC TITLE BODY");
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"server", required_argument, NULL, 's'},
        {"user", required_argument, NULL, 'u'},
        {"room", required_argument, NULL, 'r'},
        {"recent", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {0},
    };
    const char *login = getenv("USER");
    options opts = {"127.0.0.1:50051", login && *login ? login : "guest", "lobby", 0};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        read_option(option, &opts);
    setvbuf(stdout, NULL, _IOLBF, 0);
    weir_channel *channel = weir_channel_new(opts.server, NULL);
    if (!channel)
        return failed(WEIR_ENOMEM);
    int status = run(channel, &opts, argv + optind, argc - optind);
    weir_channel_free(channel);
    return status;
}
