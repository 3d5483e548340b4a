/* Sends many notifications to a topic, up to 100 at once: chat_flood ADDR TOPIC COUNT BODY */
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "weir/chat/v1/chat.weir.h"

enum {
    AT_ONCE = 100
};

typedef struct flood {
    weir_channel *channel;
    chat_send_request request;
    long to_send, to_hear;
    unsigned long delivered, dropped;
    weir_latch done;
    weir_task begin;
    int failed;
} flood;

static void send_one(flood *f);

static void answered(const weir_status *status, const chat_send_response *reply, void *user)
{
    flood *f = user;
    if (status->code != WEIR_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", weir_status_name(status->code), weir_status_text(status));
        f->failed = 1;
    } else {
        f->delivered += reply->delivered;
        f->dropped += reply->dropped;
    }
    if (--f->to_hear == 0)
        weir_latch_down(&f->done);
    else
        send_one(f);
}

static void send_one(flood *f)
{
    if (f->to_send == 0)
        return;
    f->to_send--;
    if (chat_notification_service_send_notification_async(f->channel, &f->request, answered, f,
                                                          NULL)) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
}

static void begin(weir_task *task, weir_err err)
{
    flood *f = WEIR_CONTAINER_OF(task, flood, begin);
    for (int i = 0; !err && i < AT_ONCE; i++)
        send_one(f);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    long count = atol(argv[3]);
    flood f = {
        .channel = weir_channel_new(argv[1], NULL),
        .request = {.user = WEIR_STR("flood"),
                    .topic = weir_str_from(argv[2]),
                    .title = WEIR_STR("flood"),
                    .body = weir_str_from(argv[4])},
        .to_send = count,
        .to_hear = count,
    };
    weir_latch_init(&f.done, 1);
    weir_loop_post(weir_channel_loop(f.channel), &f.begin, begin);
    weir_latch_wait(&f.done);
    weir_channel_free(f.channel);
    weir_latch_fini(&f.done);
    printf("%ld sent, %lu delivered, %lu dropped\n", count, f.delivered, f.dropped);
    return f.failed;
}
