/* restart-load ADDR:PORT THREADS: calls echo.Echo/UnaryEcho without end, until its input ends.
 * Prints how many calls there were; a call that fails is printed, and the exit status is 1 then. */
#include "echo.weir.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_bool stopping;
static atomic_ullong calls, failures;

static void call_on(void *user)
{
    weir_channel *channel = user;
    weir_arena *mem = weir_arena_new();
    const echo_echo_request request = {.message = WEIR_STR("again")};
    while (!atomic_load(&stopping)) {
        echo_echo_response *reply = NULL;
        weir_status status = echo_echo_unary_echo(channel, mem, &request, &reply, NULL);
        if (status.code || !weir_str_eq(reply->message, request.message)) {
            printf("%s: %s\n", weir_status_name(status.code), weir_status_text(&status));
            atomic_fetch_add(&failures, 1);
        }
        if (atomic_fetch_add(&calls, 1) == 0) {
            printf("calling\n");
            fflush(stdout);
        }
        weir_arena_reset(mem);
    }
    weir_arena_free(mem);
}

int main(int argc, char **argv)
{
    enum {
        MOST = 64
    };
    weir_thread *threads[MOST];
    weir_channel *channels[MOST];
    int count = argc == 3 ? atoi(argv[2]) : 0;
    if (count < 1 || count > MOST) {
        fprintf(stderr, "usage: restart-load ADDR:PORT THREADS\n");
        return 2;
    }
    for (int i = 0; i < count; i++) {
        channels[i] = weir_channel_new(argv[1], NULL);
        if (!channels[i] || weir_thread_start(&threads[i], "load", call_on, channels[i]))
            return 2;
    }
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    atomic_store(&stopping, true);
    for (int i = 0; i < count; i++) {
        weir_thread_join(threads[i]);
        weir_channel_free(channels[i]);
    }
    printf("%llu calls, %llu failed\n", atomic_load(&calls), atomic_load(&failures));
    return atomic_load(&failures) > 0;
}
