/* Logs what log_test.py hands in: log_lines FILE, messages on the standard input, each ended by
 * NUL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>

static char message[1 << 16];

/** @return its length, NUL not included; -1: there are no more */
static int read_message(void)
{
    size_t len = 0;
    int c;
    while ((c = getchar()) != EOF && c != '\0' && len < sizeof message - 1)
        message[len++] = (char)c;
    message[len] = '\0';
    return c == EOF ? -1 : (int)len;
}

int main(int argc, char **argv)
{
    weir_log_opts opts = {.file = argc > 1 ? argv[1] : NULL, .format = WEIR_LOG_JSON};
    if (weir_log_start(&opts))
        return EXIT_FAILURE;
    while (read_message() >= 0)
        WEIR_LOG_WARN("%s", message);
    weir_log_stop();
    return EXIT_SUCCESS;
}
