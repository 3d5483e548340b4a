/* Bytes of a peer against one end of an HTTP/2 connection, which answers every call. The first byte
 * chooses: 1 client, 2 no preface is put in front, 4 output is pulled late, 8 nothing is consumed;
 * the upper half sets the size of the pieces. */
#include <stdlib.h>
#include <string.h>
#include <weir/codec/h2.h>

enum {
    AS_CLIENT = 1,
    NO_PREFACE = 2,
    PULL_LATE = 4,
    KEEP_WINDOWS = 8,
    MAX_OPEN = 200,
    BODY = 40000
};

struct stream {
    int32_t id;
    size_t left;
    bool open;
};

struct fuzz {
    struct stream streams[MAX_OPEN];
    size_t open;
    uint8_t mode;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_str(weir_str s)
{
    volatile char sum = 0;
    for (size_t i = 0; i < s.len; i++)
        sum = (char)(sum ^ s.ptr[i]);
}

static struct stream *take_stream(struct fuzz *f)
{
    for (size_t i = 0; i < MAX_OPEN; i++) {
        if (f->streams[i].open)
            continue;
        f->streams[i] = (struct stream){.left = BODY, .open = true};
        f->open++;
        return &f->streams[i];
    }
    return NULL;
}

static void *on_open(weir_h2 *h2, int32_t id, void *user)
{
    (void)h2;
    struct stream *stream = id % 7 == 0 ? NULL : take_stream(user);
    if (stream)
        stream->id = id;
    return stream;
}

static void on_header(weir_h2 *h2, void *stream, weir_str name, weir_str value, void *user)
{
    (void)h2, (void)user;
    check(((struct stream *)stream)->open);
    check_str(name);
    check_str(value);
}

static void on_headers_end(weir_h2 *h2, void *stream, weir_h2_block block, bool too_large,
                           void *user)
{
    (void)too_large, (void)user;
    const weir_h2_header status = {WEIR_STR(":status"), WEIR_STR("200"), false};
    const struct stream *s = stream;
    check(s->open);
    if (block == WEIR_H2_REQUEST)
        check(weir_h2_submit_response(h2, s->id, &status, 1, s->id % 3 != 0) == WEIR_OK);
}

static void on_data(weir_h2 *h2, void *stream, const uint8_t *data, size_t len, void *user)
{
    const struct fuzz *f = user;
    const struct stream *s = stream;
    check(s->open && len > 0);
    check_str(weir_str_of(data, len));
    if ((f->mode & KEEP_WINDOWS) == 0)
        weir_h2_consume(h2, s->id, len);
    if (data[0] == 'r')
        weir_h2_reset(h2, s->id, WEIR_H2_CANCEL);
    if (data[0] == 'w')
        weir_h2_body_ready(h2, s->id);
}

static void on_end(weir_h2 *h2, void *stream, void *user)
{
    (void)h2, (void)user;
    check(((struct stream *)stream)->open);
}

static void on_close(weir_h2 *h2, void *stream, uint32_t code, bool remote, void *user)
{
    (void)h2, (void)code, (void)remote;
    struct fuzz *f = user;
    struct stream *s = stream;
    check(s->open);
    s->open = false;
    f->open--;
}

static void on_body(weir_h2 *h2, void *stream, size_t max, weir_h2_body *out, void *user)
{
    (void)user;
    const weir_h2_header trailer = {WEIR_STR("grpc-status"), WEIR_STR("0"), false};
    const struct stream *s = stream;
    check(s->open && max > 0);
    out->len = s->left < max ? s->left : max;
    out->end = out->len == s->left && s->id % 5 != 0;
    out->trailers =
        out->end && s->id % 2 && weir_h2_submit_trailers(h2, s->id, &trailer, 1) == WEIR_OK;
}

static weir_err on_body_write(weir_h2 *h2, void *stream, weir_buf *out, size_t len, void *user)
{
    (void)h2, (void)user;
    static const char zeros[BODY];
    struct stream *s = stream;
    check(s->open && len <= s->left);
    s->left -= len;
    return weir_buf_append(out, zeros, len);
}

static void on_goaway(weir_h2 *h2, int32_t last_id, uint32_t code, weir_str debug, void *user)
{
    (void)h2, (void)last_id, (void)code, (void)user;
    check_str(debug);
}

static const weir_h2_ops ops = {
    .on_open = on_open,
    .on_header = on_header,
    .on_headers_end = on_headers_end,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
    .on_body = on_body,
    .on_body_write = on_body_write,
    .on_goaway = on_goaway,
};

static void start_requests(weir_h2 *h2, struct fuzz *f)
{
    const weir_h2_header headers[] = {
        {WEIR_STR(":method"), WEIR_STR("POST"), false},
        {WEIR_STR(":scheme"), WEIR_STR("http"), false},
        {WEIR_STR(":path"), WEIR_STR("/a"), false},
        {WEIR_STR(":authority"), WEIR_STR("b"), false},
    };
    for (int i = 0; i < 4; i++) {
        struct stream *s = take_stream(f);
        check(weir_h2_submit_request(h2, headers, 4, i % 2, s, &s->id) == WEIR_OK);
    }
}

static weir_err pull(weir_h2 *h2)
{
    weir_buf out;
    weir_buf_init(&out, NULL);
    weir_err err = weir_h2_pull(h2, &out, 1 << 16);
    check(weir_buf_len(&out) <= (1 << 16) + 16384 + 9);
    weir_buf_clear(&out);
    return err;
}

static void feed_all(weir_h2 *h2, const struct fuzz *f, const uint8_t *data, size_t size)
{
    static const uint8_t hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    weir_time now = {WEIR_SECONDS(1)};
    weir_err err = WEIR_OK;
    size_t piece = (size_t)1 << (f->mode >> 4);
    if ((f->mode & NO_PREFACE) == 0)
        err = f->mode & AS_CLIENT ? weir_h2_feed(h2, now, hello + 24, sizeof hello - 1 - 24)
                                  : weir_h2_feed(h2, now, hello, sizeof hello - 1);
    for (size_t at = 0; at < size && err == WEIR_OK; at += piece) {
        err = weir_h2_feed(h2, now, data + at, size - at < piece ? size - at : piece);
        check(err == WEIR_OK || err == WEIR_EPROTO);
        now = weir_time_add(now, 1000);
        if (err == WEIR_OK && (f->mode & PULL_LATE) == 0)
            err = pull(h2);
    }
    check((err == WEIR_OK) == (weir_h2_error(h2)[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz f;
    weir_h2 *h2;
    if (size == 0)
        return 0;
    memset(&f, 0, sizeof f);
    f.mode = data[0];
    if (weir_h2_new(&h2, f.mode & AS_CLIENT ? WEIR_H2_CLIENT : WEIR_H2_SERVER, &ops, &f, NULL,
                    NULL) != WEIR_OK)
        return 0;
    if (f.mode & AS_CLIENT)
        start_requests(h2, &f);
    check(pull(h2) == WEIR_OK);
    feed_all(h2, &f, data + 1, size - 1);
    for (int i = 0; i < 100 && weir_h2_wants_pull(h2); i++)
        check(pull(h2) != WEIR_ENOMEM);
    check(weir_h2_streams(h2) == f.open);
    weir_h2_free(h2);
    return 0;
}
