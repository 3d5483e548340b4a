/* A program with a loop of its own, here poll(2): names come from its input, greetings are asked
 * for with a completion queue, whose descriptor the loop watches. 18-completion-queue ADDR:PORT */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/weir.h>

#include "greeter.weir.h"

static bool ask(weir_queue *queue, weir_channel *channel)
{
    char line[1000];
    if (!fgets(line, sizeof line, stdin))
        return false;
    line[strcspn(line, "\n")] = '\0';
    greeter_hello_request request = {.name = weir_str_from(line)};
    if (greeter_greeter_say_hello_queue(queue, channel, &request, NULL, NULL, NULL))
        fprintf(stderr, "%s: out of memory\n", line);
    return true;
}

static void show(const weir_event *event)
{
    weir_arena *mem = weir_arena_new();
    greeter_hello_reply *reply;
    if (event->kind == WEIR_EVENT_MESSAGE && mem &&
        greeter_hello_reply_decode(&reply, mem, event->bytes) == WEIR_OK)
        printf("%.*s\n", WEIR_STR_ARGS(reply->message));
    if (event->kind == WEIR_EVENT_CLOSED && event->status.code != WEIR_STATUS_OK)
        printf("%s: %s\n", weir_status_name(event->status.code), weir_status_text(&event->status));
    weir_arena_free(mem);
}

/** @return false: nothing more will come */
static bool take_events(weir_queue *queue)
{
    weir_event event;
    weir_err err;
    while ((err = weir_queue_next(queue, 0, &event)) == WEIR_OK) {
        show(&event);
        weir_event_fini(&event);
    }
    return err != WEIR_ECLOSED;
}

static void run(weir_queue *queue, weir_channel *channel)
{
    struct pollfd watched[] = {{.fd = weir_queue_descriptor(queue), .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};
    setvbuf(stdin, NULL, _IONBF, 0); /* what is read ahead would not wake the loop */
    for (bool more = true; more && poll(watched, 2, -1) > 0;) {
        if (watched[1].revents && !ask(queue, channel)) {
            watched[1].fd = -1; /* no more names: the answers are waited for */
            weir_queue_shutdown(queue);
        }
        more = take_events(queue);
    }
}

int main(int argc, char **argv)
{
    weir_queue *queue = NULL;
    weir_channel *channel = argc == 2 ? weir_channel_new(argv[1], NULL) : NULL;
    if (!channel || weir_queue_new(&queue, NULL))
        return 1;
    run(queue, channel);
    weir_queue_free(queue);
    weir_channel_free(channel);
    return 0;
}
