/* Just enough HTTP for a browser, curl and load generators. */
#include "echo.h"

#include <string.h>

enum {
    HEAD_MAX = 16384
};

/** What a request's head says. */
struct head {
    size_t len; /* with the blank line; 0: it is not complete */
    bool last;  /* HTTP/1.0, or the client said so */
};

static bool says_close(const char *line, size_t len)
{
    static const char close[] = "onnection: close\r";
    return (*line == 'C' || *line == 'c') && len == sizeof close &&
           memcmp(line + 1, close, sizeof close - 1) == 0;
}

/** One look at each line, up to the blank one. */
static struct head read_head(const char *bytes, size_t len)
{
    struct head head = {0, false};
    const char *line = bytes, *end = bytes + len, *newline;
    while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
        size_t line_len = (size_t)(newline - line);
        if (line_len == 1 && *line == '\r') {
            head.len = (size_t)(newline + 1 - bytes);
            return head;
        }
        if (line == bytes)
            head.last = line_len >= 2 && newline[-2] == '0';
        else
            head.last |= says_close(line, line_len);
        line = newline + 1;
    }
    return head;
}

void echo_answer_http(weir_conn *conn, weir_buf *in)
{
    static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                "Content-Length: 13\r\n\r\nHello, World!";
    struct head head = {0, false};
    while (weir_buf_len(in) > 0 && !head.last) {
        size_t len = weir_buf_len(in) < HEAD_MAX ? weir_buf_len(in) : HEAD_MAX;
        const char *bytes = weir_buf_pullup(in, len);
        if (!bytes) {
            weir_conn_abort(conn, WEIR_ENOMEM);
            return;
        }
        head = read_head(bytes, len);
        if (head.len == 0) {
            if (len == HEAD_MAX)
                weir_conn_abort(conn, WEIR_EMSGSIZE);
            return;
        }
        weir_buf_retrieve(in, head.len);
        if (weir_conn_send(conn, hello, sizeof hello - 1)) {
            weir_conn_abort(conn, WEIR_ENOMEM);
            return;
        }
    }
    if (head.last)
        weir_conn_close(conn);
}
