#include "service.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                            "Content-Length: 13\r\n\r\nHello, World!";
static const char blank_line[] = "\r\n\r\n";

enum {
    HELLO_LEN = sizeof hello - 1,
    BLANK_LEN = sizeof blank_line - 1,
    /* One that began in an earlier read, and those that are nothing but their blank line. */
    ANSWERS_MAX = 1 + SERVICE_READ_MAX / BLANK_LEN
};

service service_init(int argc, char **argv)
{
    service s = {.http = argc == 2 && strcmp(argv[1], "--http") == 0};
    if (argc > 1 && !s.http) {
        fprintf(stderr, "usage: %s [--http]\n", argv[0]);
        exit(2);
    }
    s.answers = s.http ? malloc((size_t)ANSWERS_MAX * HELLO_LEN) : NULL;
    if (s.http && !s.answers) {
        fprintf(stderr, "%s: out of memory\n", argv[0]);
        exit(1);
    }
    for (size_t i = 0; s.answers && i < ANSWERS_MAX; i++)
        memcpy(s.answers + i * HELLO_LEN, hello, HELLO_LEN);
    return s;
}

void service_announce(int fd)
{
    struct sockaddr_in addr = {0};
    socklen_t len = sizeof addr;
    char text[INET_ADDRSTRLEN] = "?";
    getsockname(fd, (struct sockaddr *)&addr, &len);
    inet_ntop(AF_INET, &addr.sin_addr, text, sizeof text);
    printf("listening on %s:%d\n", text, ntohs(addr.sin_port));
    fflush(stdout);
}

service_bytes service_hello(void)
{
    return (service_bytes){hello, HELLO_LEN};
}

/** Blank lines that end in `input`. */
static size_t count_requests(service_bytes input, unsigned *matched)
{
    const char *end = input.ptr + input.len;
    size_t count = 0;
    for (const char *at = input.ptr; at < end; at++) {
        if (*matched == 0 && !(at = memchr(at, '\r', (size_t)(end - at))))
            break;
        if (*at == blank_line[*matched])
            ++*matched;
        else
            *matched = *at == '\r' ? 1 : 0;
        if (*matched == BLANK_LEN) {
            *matched = 0;
            count++;
        }
    }
    return count;
}

service_bytes service_reply(const service *s, service_bytes input, unsigned *matched)
{
    if (!s->http)
        return input;
    return (service_bytes){s->answers, count_requests(input, matched) * HELLO_LEN};
}
