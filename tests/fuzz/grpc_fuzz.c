/* Bytes of a peer against one end of a gRPC connection. The first byte chooses: 1 client, 2 each
 * call expects one message, 4 output is pulled late, 8 time passes slowly; its upper half sets the
 * size of the pieces. The first byte of a message chooses what the owner does with it. */
#include <stdlib.h>
#include <string.h>
#include <weir/codec/grpc.h>

enum {
    AS_CLIENT = 1,
    EXPECT_ONE = 2,
    PULL_LATE = 4,
    SLOW_CLOCK = 8,
    PULL_LIMIT = 1 << 16,
    FRAME_MAX = 16384 + 9
};

struct fuzz {
    weir_grpc *grpc;
    weir_timers timers;
    weir_time now;
    weir_grpc_call *paused; /* the last one */
    size_t open;
    size_t framed; /* messages given by reference and not released */
    uint8_t mode;
};

static const uint8_t framed[] = {0, 0, 0, 0, 3, 'a', 'b', 'c'};

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

static void check_metadata(const weir_metadata *metadata)
{
    for (size_t i = 0; metadata && i < metadata->len; i++) {
        check_str(metadata->items[i].key);
        check_str(metadata->items[i].value);
    }
}

/** What the call belongs to: every call has been begun before its first event. */
static struct fuzz *fuzz_of(weir_grpc_call *call)
{
    check(weir_grpc_call_owner(call) != NULL);
    return weir_grpc_user(weir_grpc_call_grpc(call));
}

static void begin(struct fuzz *f, weir_grpc_call *call)
{
    f->open++;
    weir_grpc_call_set_owner(call, f);
    if (f->mode & EXPECT_ONE)
        weir_grpc_expect_one(call);
}

static void released(void *user)
{
    struct fuzz *f = user;
    check(f->framed > 0);
    f->framed--;
}

static void send_framed(struct fuzz *f, weir_grpc_call *call)
{
    f->framed++;
    if (weir_grpc_send_framed(call, framed, sizeof framed, released, f))
        f->framed--;
}

static void echo(weir_grpc_call *call, weir_str bytes)
{
    uint8_t *room;
    if (weir_grpc_send_begin(call, bytes.len, &room))
        return;
    if (bytes.len > 0)
        memcpy(room, bytes.ptr, bytes.len);
    if (bytes.len % 5 == 4)
        weir_grpc_send_drop(call);
    else
        weir_grpc_send_end(call);
}

static void add_metadata(weir_grpc_call *call, weir_str value)
{
    weir_err header = weir_grpc_add_header(call, WEIR_STR("x-bin"), value);
    weir_err trailer = weir_grpc_add_trailer(call, WEIR_STR("y-bin"), value);
    check(header == WEIR_OK || header == WEIR_ESTATE || header == WEIR_EMSGSIZE);
    check(trailer == WEIR_OK || trailer == WEIR_ESTATE || trailer == WEIR_EMSGSIZE);
    weir_grpc_send_headers(call);
}

static void finish(weir_grpc_call *call, weir_str message)
{
    struct fuzz *f = fuzz_of(call);
    if (f->mode & AS_CLIENT)
        weir_grpc_half_close(call);
    else
        weir_grpc_finish(call, &(weir_status){.code = (weir_status_code)(message.len % 17),
                                              .message = message,
                                              .details = message});
}

static void resume(struct fuzz *f, weir_grpc_call *call)
{
    weir_grpc_call *sleeper = f->paused ? f->paused : call;
    f->paused = NULL;
    weir_grpc_resume(sleeper);
}

static void obey(weir_grpc_call *call, weir_str bytes)
{
    struct fuzz *f = fuzz_of(call);
    switch (bytes.len ? bytes.ptr[0] : 'e') {
    case 'p':
        weir_grpc_pause(call);
        f->paused = call;
        break;
    case 'r':
        resume(f, call);
        break;
    case 'c':
        weir_grpc_cancel(call);
        break;
    case 'x':
        weir_grpc_end_call(call, WEIR_STATUS_ABORTED, "as told");
        break;
    case 'f':
        finish(call, bytes);
        break;
    case 'm':
        if ((f->mode & AS_CLIENT) == 0)
            add_metadata(call, bytes);
        break;
    case 's':
        send_framed(f, call);
        break;
    case 'u':
        weir_grpc_call_set_message_compression(call, weir_grpc_call_message_was_compressed(call));
        break;
    case 'z':
        if (weir_grpc_call_set_compression(call, (weir_compression)(bytes.len % 6)))
            check_str(bytes); /* too late, or no such encoding */
        break;
    case 'd':
        weir_grpc_drain(f->grpc, "drain");
        break;
    case 'D':
        weir_grpc_drain_end(f->grpc);
        break;
    case 'E':
        weir_grpc_end_calls(f->grpc, WEIR_STATUS_UNAVAILABLE, WEIR_STR("all over"));
        break;
    default:
        echo(call, bytes);
    }
}

static void on_request(weir_grpc_call *call, void *user)
{
    weir_str path = weir_grpc_call_path(call);
    check_str(path);
    check_str(weir_grpc_call_authority(call));
    check_metadata(weir_grpc_call_metadata(call));
    begin(user, call);
    if (path.len > 1)
        obey(call, weir_str_of(path.ptr + 1, path.len - 1));
}

static void on_headers(weir_grpc_call *call, void *user)
{
    (void)user;
    fuzz_of(call);
    check_metadata(weir_grpc_call_metadata(call));
}

static void on_message(weir_grpc_call *call, weir_str bytes, void *user)
{
    const struct fuzz *f = user;
    check(fuzz_of(call) == f && f->paused != call);
    check_str(bytes);
    obey(call, bytes);
}

static void on_half_close(weir_grpc_call *call, void *user)
{
    check(fuzz_of(call) == user);
    finish(call, WEIR_STR("done"));
}

static void on_writable(weir_grpc_call *call, void *user)
{
    check(fuzz_of(call) == user);
    echo(call, WEIR_STR("again"));
}

static void on_close(weir_grpc_call *call, const weir_status *status, void *user)
{
    struct fuzz *f = user;
    check(fuzz_of(call) == f && f->open > 0);
    check((unsigned)status->code <= WEIR_STATUS_UNAUTHENTICATED);
    check_str(status->message);
    check_str(status->details);
    check_metadata(weir_grpc_call_trailers(call));
    f->open--;
    if (f->paused == call)
        f->paused = NULL;
}

static void start_call(struct fuzz *f, int64_t deadline_us)
{
    weir_grpc_call *call;
    const weir_grpc_start start = {.path = WEIR_STR("/a.B/C"),
                                   .authority = WEIR_STR("d"),
                                   .user_agent = WEIR_STR("fuzz"),
                                   .deadline = deadline_us ? weir_time_add(f->now, deadline_us)
                                                           : weir_time_never(),
                                   .compression = (weir_compression)(f->open % 5),
                                   .owner = f};
    if (weir_grpc_call_start(&call, f->grpc, &start))
        return;
    begin(f, call);
    echo(call, WEIR_STR("hello"));
    echo(call, WEIR_STR("a request that is long enough to be compressed, where the call has a "
                        "compression, because it says the same again and again: hello hello "
                        "hello hello hello hello"));
}

static void on_room(weir_grpc *grpc, void *user)
{
    struct fuzz *f = user;
    check(grpc == f->grpc);
    if (f->open < 8 && weir_grpc_is_open(grpc))
        start_call(f, 0);
}

static void on_wake(weir_grpc *grpc, void *user)
{
    check(grpc == ((struct fuzz *)user)->grpc);
}

static const weir_grpc_ops ops = {.on_request = on_request,
                                  .on_headers = on_headers,
                                  .on_message = on_message,
                                  .on_half_close = on_half_close,
                                  .on_writable = on_writable,
                                  .on_close = on_close,
                                  .on_room = on_room,
                                  .on_wake = on_wake};

static weir_err pull(struct fuzz *f)
{
    weir_buf out;
    weir_buf_init(&out, NULL);
    weir_err err = weir_grpc_pull(f->grpc, &out, PULL_LIMIT);
    check(weir_buf_len(&out) <= PULL_LIMIT + FRAME_MAX);
    weir_buf_clear(&out);
    return err;
}

static void pass_time(struct fuzz *f)
{
    f->now = weir_time_add(f->now, f->mode & SLOW_CLOCK ? 10 : WEIR_SECONDS(1) / 10);
    weir_timers_advance(&f->timers, f->now);
}

static weir_err feed_hello(struct fuzz *f)
{
    static const uint8_t hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    size_t skip = f->mode & AS_CLIENT ? 24 : 0;
    return weir_grpc_feed(f->grpc, f->now, hello + skip, sizeof hello - 1 - skip);
}

static void feed_all(struct fuzz *f, const uint8_t *data, size_t size)
{
    weir_err err = feed_hello(f);
    size_t piece = (size_t)1 << (f->mode >> 4);
    for (size_t at = 0; at < size && err == WEIR_OK; at += piece) {
        err = weir_grpc_feed(f->grpc, f->now, data + at, size - at < piece ? size - at : piece);
        check(err == WEIR_OK || err == WEIR_EPROTO);
        pass_time(f);
        if (err == WEIR_OK && (f->mode & PULL_LATE) == 0)
            err = pull(f);
    }
    check((err == WEIR_OK) == (weir_grpc_error(f->grpc)[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct fuzz f = {.now = {WEIR_SECONDS(1000)}, .mode = data[0]};
    weir_h2_role role = f.mode & AS_CLIENT ? WEIR_H2_CLIENT : WEIR_H2_SERVER;
    const weir_grpc_opts opts = {.max_receive_bytes = 1 << 20,
                                 .max_call_us = WEIR_SECONDS(10),
                                 .compression = WEIR_COMPRESSION_GZIP};
    weir_timers_init(&f.timers, f.now);
    if (weir_grpc_new(&f.grpc, role, &ops, &f, NULL, &f.timers, &opts))
        return 0;
    for (int i = 0; i < 4 && role == WEIR_H2_CLIENT; i++)
        start_call(&f, i * WEIR_SECONDS(1));
    check(pull(&f) == WEIR_OK);
    feed_all(&f, data + 1, size - 1);
    for (int i = 0; i < 100 && weir_grpc_wants_pull(f.grpc); i++)
        check(pull(&f) != WEIR_ENOMEM);
    check(weir_grpc_calls(f.grpc) >= f.open);
    weir_grpc_free(f.grpc, "the end");
    check(f.open == 0 && f.framed == 0);
    return 0;
}
