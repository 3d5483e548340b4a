#include <weir/codec/google/rpc/status.weir.h>
#include <weir/codec/status_details.h>

/** Stands before the message's name, by convention; only what follows the last slash counts. */
#define TYPE_URL_PREFIX "type.googleapis.com/"

static weir_err pack(google_protobuf_any *any, weir_arena *mem, const weir_status_detail *detail)
{
    any->type_url = weir_arena_printf(mem, TYPE_URL_PREFIX "%s", detail->type->name);
    if (!any->type_url.ptr)
        return WEIR_ENOMEM;
    return weir_message_encode_new(detail->type, detail->message, mem, &any->value);
}

weir_err weir_status_set_details(weir_status *status, weir_arena *mem,
                                 const weir_status_detail *details, size_t count)
{
    google_protobuf_any *anys = weir_arena_zalloc(mem, count * sizeof *anys);
    if (!anys)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        weir_err err = pack(&anys[i], mem, &details[i]);
        if (err)
            return err;
    }
    google_rpc_status message = {
        .code = (int32_t)status->code,
        .message = status->message,
        .details = {anys, count},
    };
    return google_rpc_status_encode(&message, mem, &status->details);
}

static bool is_of_type(weir_str url, const weir_message *type)
{
    weir_str name = weir_str_from(type->name);
    return url.len > name.len && weir_str_ends(url, name) && url.ptr[url.len - name.len - 1] == '/';
}

weir_err weir_status_find_detail(const weir_status *status, const weir_message *type,
                                 weir_arena *mem, void **out)
{
    google_rpc_status *message;
    if (status->details.len == 0)
        return WEIR_ENOENT;
    weir_err err = google_rpc_status_decode(&message, mem, status->details);
    if (err)
        return err;
    for (size_t i = 0; i < message->details.len; i++) {
        if (is_of_type(message->details.items[i].type_url, type))
            return weir_message_decode(type, out, mem, message->details.items[i].value,
                                       WEIR_DECODE_COPY);
    }
    return WEIR_ENOENT;
}
