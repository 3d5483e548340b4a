/**
 * @file
 * What weir_inspect_...() finds, as messages of channelz: channelz_show.c has channels and servers,
 * channelz_socket.c connections.
 */
#ifndef WEIR_BUILTIN_CHANNELZ_SHOW_H
#define WEIR_BUILTIN_CHANNELZ_SHOW_H

#include <weir/rpc/inspect.h>

#include "grpc/channelz/v1/channelz.weir.h"

/** Where messages are made. */
typedef struct weir__show {
    weir_arena *mem;
    bool failed; /* out of memory: what was made is not whole */
} weir__show;

/** A zeroed piece; NULL: `failed`. */
void *weir__show_new(weir__show *s, size_t size);
/** NULL for 0, as the fields are absent then. */
google_protobuf_timestamp *weir__show_time(weir__show *s, weir_wall at);

/* Each fills a zeroed message, which points into the entity. */

void weir__show_channel(weir__show *s, const weir_inspect_entity *from,
                        weir__channelz_channel *out);
void weir__show_subchannel(weir__show *s, const weir_inspect_entity *from,
                           weir__channelz_subchannel *out);
void weir__show_server(weir__show *s, const weir_inspect_entity *from, weir__channelz_server *out);
void weir__show_listener(weir__show *s, const weir_inspect_entity *from,
                         weir__channelz_socket *out);
/** @param summary  without what has to be asked of the kernel or of TLS */
void weir__show_socket(weir__show *s, const weir_inspect_socket *from, bool summary,
                       weir__channelz_socket *out);
/** @return `count` of them */
weir__channelz_socket_ref *weir__show_refs(weir__show *s, const weir_inspect_ref *refs,
                                           size_t count);

#endif
