/* The smallest RPC: calls on one connection, told apart by an id that the answer repeats. A frame
 * is a length of 4 bytes (the codec's), an id of 4, a byte, and text. The byte is the method's
 * number in a request, a status in an answer (0 is good). Its client is 15-tiny-rpc-client. */
#include <ctype.h>
#include <weir/net/net.h>

enum {
    ID_BYTES = 4,
    HEAD_BYTES = ID_BYTES + 1,
    FRAME_MAX = 4096,
    STATUS_OK = 0,
    STATUS_NO_SUCH_METHOD = 1
};

/** Works in place: the answer is as long as the question. */
typedef void (*method)(char *text, size_t len);

static void echo(char *text WEIR_UNUSED, size_t len WEIR_UNUSED) {}

static void upper(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = (char)toupper((unsigned char)text[i]);
}

static void reverse(char *text, size_t len)
{
    for (size_t i = 0; i < len / 2; i++) {
        char c = text[i];
        text[i] = text[len - 1 - i];
        text[len - 1 - i] = c;
    }
}

static const method methods[] = {echo, upper, reverse};

/** The frame becomes the answer: its id stays as it is. */
static void on_request(weir_conn *conn, weir_buf *in, void *user WEIR_UNUSED)
{
    char frame[FRAME_MAX];
    size_t len = weir_buf_len(in);
    if (len < HEAD_BYTES || !weir_buf_read(in, frame, len)) {
        weir_conn_abort(conn, WEIR_EMALFORMED);
        return;
    }
    unsigned number = (unsigned char)frame[ID_BYTES];
    bool known = number < sizeof methods / sizeof methods[0];
    if (known)
        methods[number](frame + HEAD_BYTES, len - HEAD_BYTES);
    frame[ID_BYTES] = known ? STATUS_OK : STATUS_NO_SUCH_METHOD;
    weir_err err = weir_conn_send_message(conn, weir_str_of(frame, len));
    if (err)
        weir_conn_abort(conn, err);
}

static const weir_conn_ops ops = {.on_message = on_request};

int main(int argc, char **argv)
{
    const char *addr = argc > 1 ? argv[1] : "127.0.0.1:8000";
    weir_tcp_server_opts opts = {
        .conn = {.codec = weir_codec_prefix(4, FRAME_MAX), .throttle = true}};
    return weir_tcp_serve(addr, &ops, NULL, &opts) != WEIR_OK;
}
