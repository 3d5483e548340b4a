#include <weir/builtin/reflection.h>

#include <pthread.h>
#include <stdlib.h>

#include "grpc/reflection/v1/reflection.weir.h"
#include "grpc/reflection/v1alpha/reflection.weir.h"
#include "symbols.h"

typedef weir__reflection_server_reflection_request question;
typedef weir__reflection_server_reflection_response answer;

/** One per server. */
typedef struct reflection {
    weir_server_part part;
    weir_server *server;
    pthread_mutex_t lock;   /* of `symbols`, until it is made */
    weir__symbols *symbols; /* made for the first question: the server's services are known then */
} reflection;

/** A call. */
typedef struct talk {
    reflection *reflection;
    const weir__symbols *symbols;
    bool *sent;            /* files that the client has, by number */
    weir_payload *waiting; /* the answer that the client has no room for */
    bool half_closed;
} talk;

static weir_err make_symbols(reflection *r)
{
    const weir_file *roots[1000];
    size_t count = 0;
    for (const weir_service *s;
         count < sizeof roots / sizeof *roots && (s = weir_server_service(r->server, count));)
        roots[count++] = s->file;
    return weir__symbols_new(&r->symbols, roots, count);
}

static weir_err get_symbols(reflection *r, const weir__symbols **out)
{
    pthread_mutex_lock(&r->lock);
    weir_err err = r->symbols ? WEIR_OK : make_symbols(r);
    *out = r->symbols;
    pthread_mutex_unlock(&r->lock);
    return err;
}

/* Answers. Memory is a scratch arena of the question. NULL: out of memory. */

static bool set_error(answer *a, weir_arena *mem, weir_status_code code, const char *what,
                      weir_str name)
{
    weir__reflection_error_response *error = weir_arena_zalloc(mem, sizeof *error);
    if (!error)
        return false;
    error->error_code = (int32_t)code;
    error->error_message = weir_arena_printf(mem, "%s: %.*s", what, WEIR_STR_ARGS(name));
    a->message_response_case =
        WEIR__REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_ERROR_RESPONSE;
    a->message_response.error_response = error;
    return true;
}

/** What is to be sent for a file: itself, and what it imports that the client has not got yet. */
typedef struct files {
    const weir_file **items;
    size_t len;
} files;

static void collect(talk *t, files *out, const weir_file *file, bool wanted)
{
    size_t number = weir__symbols_number(t->symbols, file);
    if (t->sent[number] && !wanted)
        return;
    for (size_t i = 0; i < out->len; i++) {
        if (out->items[i] == file)
            return;
    }
    t->sent[number] = true;
    out->items[out->len++] = file;
    for (size_t i = 0; i < file->import_count; i++)
        collect(t, out, file->imports[i], false);
}

static bool set_file(talk *t, answer *a, weir_arena *mem, const weir_file *file)
{
    size_t count = weir__symbols_files(t->symbols);
    weir__reflection_file_descriptor_response *response = weir_arena_zalloc(mem, sizeof *response);
    files all = {weir_arena_zalloc(mem, count * sizeof *all.items), 0};
    weir_str *bytes = weir_arena_zalloc(mem, count * sizeof *bytes);
    if (!response || !all.items || !bytes)
        return false;
    collect(t, &all, file, true);
    for (size_t i = 0; i < all.len; i++)
        bytes[i] = weir_str_of(all.items[i]->descriptor, all.items[i]->descriptor_len);
    response->file_descriptor_proto = (weir_strs){bytes, all.len};
    a->message_response_case =
        WEIR__REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    a->message_response.file_descriptor_response = response;
    return true;
}

static bool answer_file(talk *t, answer *a, weir_arena *mem, const weir_file *file,
                        const char *what, weir_str name)
{
    return file ? set_file(t, a, mem, file) : set_error(a, mem, WEIR_STATUS_NOT_FOUND, what, name);
}

static bool answer_extension(talk *t, answer *a, weir_arena *mem,
                             const weir__reflection_extension_request *asked)
{
    static const weir__reflection_extension_request nothing;
    asked = asked ? asked : &nothing;
    const weir__extension *found =
        weir__symbols_extension(t->symbols, asked->containing_type, asked->extension_number);
    return answer_file(t, a, mem, found ? found->file : NULL, "extension not found of",
                       asked->containing_type);
}

static bool answer_numbers(talk *t, answer *a, weir_arena *mem, weir_str type)
{
    size_t count;
    const weir__extension *found = weir__symbols_extensions(t->symbols, type, &count);
    if (!found && !weir__symbols_is_message(t->symbols, type))
        return set_error(a, mem, WEIR_STATUS_NOT_FOUND, "message not found", type);
    weir__reflection_extension_number_response *response = weir_arena_zalloc(mem, sizeof *response);
    int32_t *numbers = weir_arena_zalloc(mem, (count + 1) * sizeof *numbers);
    if (!response || !numbers)
        return false;
    for (size_t i = 0; i < count; i++)
        numbers[i] = found[i].number;
    response->base_type_name = type;
    response->extension_number = (weir_int32s){numbers, count};
    a->message_response_case =
        WEIR__REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    a->message_response.all_extension_numbers_response = response;
    return true;
}

static bool answer_services(talk *t, answer *a, weir_arena *mem)
{
    size_t count = 0;
    while (weir_server_service(t->reflection->server, count))
        count++;
    weir__reflection_list_service_response *response = weir_arena_zalloc(mem, sizeof *response);
    weir__reflection_service_response *names = weir_arena_zalloc(mem, count * sizeof *names);
    if (!response || !names)
        return false;
    for (size_t i = 0; i < count; i++)
        names[i].name = weir_str_from(weir_server_service(t->reflection->server, i)->name);
    response->service.items = names;
    response->service.len = count;
    a->message_response_case =
        WEIR__REFLECTION_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    a->message_response.list_services_response = response;
    return true;
}

static bool find_answer(talk *t, const question *q, answer *a, weir_arena *mem)
{
    switch (q->message_request_case) {
    case WEIR__REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_BY_FILENAME: {
        weir_str name = q->message_request.file_by_filename;
        return answer_file(t, a, mem, weir__symbols_file(t->symbols, name), "file not found", name);
    }
    case WEIR__REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL: {
        weir_str name = q->message_request.file_containing_symbol;
        return answer_file(t, a, mem, weir__symbols_declares(t->symbols, name), "symbol not found",
                           name);
    }
    case WEIR__REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        return answer_extension(t, a, mem, q->message_request.file_containing_extension);
    case WEIR__REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        return answer_numbers(t, a, mem, q->message_request.all_extension_numbers_of_type);
    case WEIR__REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_LIST_SERVICES:
        return answer_services(t, a, mem);
    case WEIR__REFLECTION_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_NOT_SET:
        break;
    }
    return set_error(a, mem, WEIR_STATUS_INVALID_ARGUMENT, "the question is not known", q->host);
}

/* The calls. An untyped table serves both versions: their messages are the same but for their
 * names. */

static void fail_with(weir_call *call, weir_err err)
{
    weir_call_fail(call, (weir_status_code)weir_err_status(err), "%s", weir_err_text(err));
}

static bool is_present(const void *methods WEIR_UNUSED)
{
    return true;
}

static void on_open(weir_call *call, const void *request WEIR_UNUSED,
                    const void *methods WEIR_UNUSED, void *user)
{
    talk *t = weir_arena_zalloc(weir_call_arena(call), sizeof *t);
    weir_err err = t ? get_symbols(user, &t->symbols) : WEIR_ENOMEM;
    if (!err) {
        t->reflection = user;
        t->sent = weir_arena_zalloc(weir_call_arena(call), weir__symbols_files(t->symbols) + 1);
        err = t->sent ? WEIR_OK : WEIR_ENOMEM;
    }
    if (err)
        fail_with(call, err);
    else
        weir_call_set_data(call, t);
}

/** A client that asks and does not read is not listened to. */
static void on_message(weir_call *call, const void *request, const void *methods WEIR_UNUSED,
                       void *user WEIR_UNUSED)
{
    talk *t = weir_call_data(call);
    const question *q = request;
    answer a = {.valid_host = q->host, .original_request = q};
    weir_arena mem;
    weir_arena_init(&mem, weir_loop_pool(weir_call_loop(call)), 0);
    weir_err err = find_answer(t, q, &a, &mem) ? WEIR_OK : WEIR_ENOMEM;
    if (!err)
        err = weir_call_send(call, &a);
    if (err == WEIR_EAGAIN) {
        err = weir_payload_new(&t->waiting, &weir__reflection_server_reflection_response_descriptor,
                               &a);
        weir_call_pause(call);
    }
    weir_arena_fini(&mem);
    if (err)
        fail_with(call, err);
}

static void on_half_closed(weir_call *call, const void *methods WEIR_UNUSED, void *user WEIR_UNUSED)
{
    talk *t = weir_call_data(call);
    t->half_closed = true;
    if (!t->waiting)
        weir_call_finish(call);
}

/** Resuming may end the call: nothing is touched after it. */
static void on_writable(weir_call *call, const void *methods WEIR_UNUSED, void *user WEIR_UNUSED)
{
    talk *t = weir_call_data(call);
    if (!t || !t->waiting)
        return;
    weir_err err = weir_call_send_payload(call, t->waiting);
    if (err == WEIR_EAGAIN)
        return;
    weir_payload_unref(t->waiting);
    t->waiting = NULL;
    if (err)
        fail_with(call, err);
    else if (t->half_closed)
        weir_call_finish(call);
    else
        weir_call_resume(call);
}

static void on_closed(weir_call *call, const weir_status *why WEIR_UNUSED,
                      const void *methods WEIR_UNUSED, void *user WEIR_UNUSED)
{
    talk *t = weir_call_data(call);
    if (t)
        weir_payload_unref(t->waiting);
}

static const weir_handler handlers[] = {{.present = is_present,
                                         .open = on_open,
                                         .message = on_message,
                                         .half_closed = on_half_closed,
                                         .writable = on_writable,
                                         .closed = on_closed}};

#define METHOD(version)                                                                            \
    {                                                                                              \
        .name = "ServerReflectionInfo",                                                            \
        .path = "/grpc.reflection." version ".ServerReflection/ServerReflectionInfo",              \
        .kind = WEIR_METHOD_BIDI_STREAMING,                                                        \
        .request = &weir__reflection_server_reflection_request_descriptor,                         \
        .reply = &weir__reflection_server_reflection_response_descriptor,                          \
    }

static const weir_method methods_v1[] = {METHOD("v1")}, methods_v1alpha[] = {METHOD("v1alpha")};
static const weir_service service_v1 = {"grpc.reflection.v1.ServerReflection", methods_v1, 1,
                                        &grpc_reflection_v1_reflection_file};
static const weir_service service_v1alpha = {"grpc.reflection.v1alpha.ServerReflection",
                                             methods_v1alpha, 1,
                                             &grpc_reflection_v1alpha_reflection_file};

static void on_free(weir_server_part *part)
{
    reflection *r = WEIR_CONTAINER_OF(part, reflection, part);
    weir__symbols_free(r->symbols);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

weir_err weir_reflection_serve(weir_server *server)
{
    reflection *r = calloc(1, sizeof *r);
    if (!r)
        return WEIR_ENOMEM;
    r->part.on_free = on_free;
    r->server = server;
    pthread_mutex_init(&r->lock, NULL);
    weir_server_attach(server, &r->part);
    weir_err err = weir_server_add(server, &service_v1, handlers, NULL, r);
    return err ? err : weir_server_add(server, &service_v1alpha, handlers, NULL, r);
}
