/* An HTTP/1.1 server that greets every GET and keeps the connection: try it with
 * `curl -v 127.0.0.1:8000 127.0.0.1:8000`. No codec: the head is looked for in the bytes. */
#include <strings.h>
#include <weir/net/net.h>

enum {
    HEAD_MAX = 8 << 10
};

static const char hello[] = "HTTP/1.1 200 OK\r\n"
                            "Content-Type: text/plain\r\n"
                            "Content-Length: 14\r\n\r\n"
                            "Hello, World!\n";
static const char not_allowed[] = "HTTP/1.1 405 Method Not Allowed\r\n"
                                  "Allow: GET\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
static const char too_large[] = "HTTP/1.1 431 Request Header Fields Too Large\r\n"
                                "Connection: close\r\nContent-Length: 0\r\n\r\n";

static void answer(weir_conn *conn, const char *response, bool keep)
{
    weir_err err = weir_conn_send(conn, response, strlen(response));
    if (err)
        weir_conn_abort(conn, err);
    else if (!keep)
        weir_conn_close(conn);
}

/** Whether one of the head's lines begins so, in any case of letters. */
static bool has_line(const char *head, const char *line)
{
    const char *at = head;
    while ((at = strstr(at, "\r\n")) != NULL) {
        at += 2;
        if (strncasecmp(at, line, strlen(line)) == 0)
            return true;
    }
    return false;
}

/** HTTP/1.0 closes; so does who asks for it, or sends a body, which is not read. */
static bool wants_more(const char *head)
{
    static const char version[] = " HTTP/1.1\r\n";
    const char *found = strstr(head, version);
    return found && found + sizeof version - 3 == strstr(head, "\r\n") &&
           !has_line(head, "Connection: close") && !has_line(head, "Content-Length:") &&
           !has_line(head, "Transfer-Encoding:");
}

static void on_message(weir_conn *conn, weir_buf *in, void *user WEIR_UNUSED)
{
    static const weir_str blank_line = {"\r\n\r\n", 4};
    char head[HEAD_MAX + 1];
    while (weir_conn_get_state(conn) == WEIR_CONN_CONNECTED) {
        int64_t end = weir_buf_find(in, 0, blank_line);
        size_t len = end < 0 ? weir_buf_len(in) : (size_t)end + blank_line.len;
        if (len > HEAD_MAX)
            answer(conn, too_large, false);
        if (len > HEAD_MAX || end < 0)
            return;
        weir_buf_read(in, head, len);
        head[len] = '\0';
        if (strncmp(head, "GET ", 4) == 0)
            answer(conn, hello, wants_more(head));
        else
            answer(conn, not_allowed, false);
    }
}

static const weir_conn_ops http = {.on_message = on_message};

int main(int argc, char **argv)
{
    const char *addr = argc > 1 ? argv[1] : "127.0.0.1:8000";
    weir_tcp_server_opts opts = {.conn = {.idle_us = WEIR_SECONDS(60), .throttle = true}};
    return weir_tcp_serve(addr, &http, NULL, &opts) != WEIR_OK;
}
