/* Just enough HTTP for a browser, curl and load generators. */
#include "echo.h"

#include <string.h>

enum {
    HEAD_MAX = 16384
};

/** HTTP/1.0, or the client said so. */
static bool wants_close(weir_str head)
{
    static const char close[] = "onnection: close\r";
    const char *at = head.ptr, *end = head.ptr + head.len;
    const char *line_end = memchr(at, '\r', head.len);
    if (line_end > at && line_end[-1] == '0')
        return true;
    /* Line by line: searching for the words would look at every byte. */
    while ((at = memchr(at, '\n', (size_t)(end - at))) && ++at < end)
        if ((*at == 'C' || *at == 'c') && (size_t)(end - at) > sizeof close &&
            memcmp(at + 1, close, sizeof close - 1) == 0)
            return true;
    return false;
}

void echo_answer_http(weir_conn *conn, weir_buf *in)
{
    static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                "Content-Length: 13\r\n\r\nHello, World!";
    int64_t end;
    while ((end = weir_buf_find(in, 0, WEIR_STR("\r\n\r\n"))) >= 0) {
        size_t len = (size_t)end + 4;
        const char *head = len <= HEAD_MAX ? weir_buf_pullup(in, len) : NULL;
        if (!head || weir_conn_send(conn, hello, sizeof hello - 1)) {
            weir_conn_abort(conn, WEIR_ENOMEM);
            return;
        }
        bool last = wants_close(weir_str_of(head, len));
        weir_buf_retrieve(in, len);
        if (last) {
            weir_conn_close(conn);
            return;
        }
    }
    if (weir_buf_len(in) > HEAD_MAX)
        weir_conn_abort(conn, WEIR_EMSGSIZE);
}
