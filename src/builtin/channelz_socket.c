#include "channelz_show.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

static weir__channelz_socket_ref *show_ref(weir__show *s, uint64_t id, const weir_addr *addr)
{
    weir__channelz_socket_ref *out = weir__show_new(s, sizeof *out);
    char text[WEIR_ADDR_TEXT_MAX];
    if (!out)
        return NULL;
    out->socket_id = (int64_t)id;
    if (addr->len > 0)
        out->name = weir_arena_copy(s->mem, weir_str_from(weir_addr_text(addr, text)));
    return out;
}

/* Addresses. */

static weir__channelz_address_tcp_ip_address *show_ip(weir__show *s, const weir_addr *addr)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&addr->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&addr->storage;
    bool is_v4 = addr->storage.ss_family == AF_INET;
    weir_str bytes = is_v4 ? weir_str_of(&v4->sin_addr, sizeof v4->sin_addr)
                           : weir_str_of(&v6->sin6_addr, sizeof v6->sin6_addr);
    weir__channelz_address_tcp_ip_address *out = weir__show_new(s, sizeof *out);
    if (!out)
        return NULL;
    out->ip_address = weir_arena_copy(s->mem, bytes);
    out->port = (int32_t)weir_addr_port(addr);
    s->failed = s->failed || !out->ip_address.ptr;
    return out;
}

static weir__channelz_address_uds_address *show_path(weir__show *s, const weir_addr *addr)
{
    char text[WEIR_ADDR_TEXT_MAX];
    weir_str path = weir_str_from(weir_addr_text(addr, text));
    weir__channelz_address_uds_address *out = weir__show_new(s, sizeof *out);
    if (!out)
        return NULL;
    if (weir_str_starts(path, WEIR_STR("unix:")))
        path = weir_str_of(path.ptr + 5, path.len - 5);
    out->filename = weir_arena_copy(s->mem, path);
    s->failed = s->failed || !out->filename.ptr;
    return out;
}

/** NULL: it is not known. */
static weir__channelz_address *show_addr(weir__show *s, const weir_addr *addr)
{
    weir__channelz_address *out = addr->len > 0 ? weir__show_new(s, sizeof *out) : NULL;
    if (!out)
        return NULL;
    if (addr->storage.ss_family == AF_UNIX) {
        out->address_case = WEIR__CHANNELZ_ADDRESS_ADDRESS_UDS_ADDRESS;
        out->address.uds_address = show_path(s, addr);
    } else {
        out->address_case = WEIR__CHANNELZ_ADDRESS_ADDRESS_TCPIP_ADDRESS;
        out->address.tcpip_address = show_ip(s, addr);
    }
    return s->failed ? NULL : out;
}

/* Options. */

#define TCP_INFO_TYPE "type.googleapis.com/grpc.channelz.v1.SocketOptionTcpInfo"

static weir__channelz_socket_option_tcp_info tcp_info_of(const struct tcp_info *from)
{
    return (weir__channelz_socket_option_tcp_info){
        .tcpi_state = from->tcpi_state,
        .tcpi_ca_state = from->tcpi_ca_state,
        .tcpi_retransmits = from->tcpi_retransmits,
        .tcpi_probes = from->tcpi_probes,
        .tcpi_backoff = from->tcpi_backoff,
        .tcpi_options = from->tcpi_options,
        .tcpi_snd_wscale = from->tcpi_snd_wscale,
        .tcpi_rcv_wscale = from->tcpi_rcv_wscale,
        .tcpi_rto = from->tcpi_rto,
        .tcpi_ato = from->tcpi_ato,
        .tcpi_snd_mss = from->tcpi_snd_mss,
        .tcpi_rcv_mss = from->tcpi_rcv_mss,
        .tcpi_unacked = from->tcpi_unacked,
        .tcpi_sacked = from->tcpi_sacked,
        .tcpi_lost = from->tcpi_lost,
        .tcpi_retrans = from->tcpi_retrans,
        .tcpi_fackets = from->tcpi_fackets,
        .tcpi_last_data_sent = from->tcpi_last_data_sent,
        .tcpi_last_ack_sent = from->tcpi_last_ack_sent,
        .tcpi_last_data_recv = from->tcpi_last_data_recv,
        .tcpi_last_ack_recv = from->tcpi_last_ack_recv,
        .tcpi_pmtu = from->tcpi_pmtu,
        .tcpi_rcv_ssthresh = from->tcpi_rcv_ssthresh,
        .tcpi_rtt = from->tcpi_rtt,
        .tcpi_rttvar = from->tcpi_rttvar,
        .tcpi_snd_ssthresh = from->tcpi_snd_ssthresh,
        .tcpi_snd_cwnd = from->tcpi_snd_cwnd,
        .tcpi_advmss = from->tcpi_advmss,
        .tcpi_reordering = from->tcpi_reordering,
    };
}

/** @return how many options there are; a unix socket has none that are of interest */
static size_t show_options(weir__show *s, const weir_conn *conn,
                           const weir__channelz_socket_option **items)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(weir_conn_descriptor(conn), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return 0;
    weir__channelz_socket_option *out = weir__show_new(s, sizeof *out);
    google_protobuf_any *any = weir__show_new(s, sizeof *any);
    if (!out || !any)
        return 0;
    weir__channelz_socket_option_tcp_info message = tcp_info_of(&info);
    any->type_url = WEIR_STR(TCP_INFO_TYPE);
    if (weir__channelz_socket_option_tcp_info_encode(&message, s->mem, &any->value)) {
        s->failed = true;
        return 0;
    }
    out->name = WEIR_STR("TCP_INFO");
    out->additional = any;
    *items = out;
    return 1;
}

/* Security. */

/** TLS 1.3 suites have one name, which is the standard's; of older ones it is OpenSSL's. */
static weir__channelz_security_tls *show_tls(weir__show *s, const weir_tls_info *info)
{
    weir__channelz_security_tls *out = weir__show_new(s, sizeof *out);
    if (!out)
        return NULL;
    weir_str cipher = weir_str_from(info->cipher);
    if (weir_str_starts(cipher, WEIR_STR("TLS_"))) {
        out->cipher_suite_case = WEIR__CHANNELZ_SECURITY_TLS_CIPHER_SUITE_STANDARD_NAME;
        out->cipher_suite.standard_name = cipher;
    } else {
        out->cipher_suite_case = WEIR__CHANNELZ_SECURITY_TLS_CIPHER_SUITE_OTHER_NAME;
        out->cipher_suite.other_name = cipher;
    }
    return out;
}

/** NULL: there is none. */
static weir__channelz_security *show_security(weir__show *s, weir_conn *conn)
{
    const weir_tls_info *info = weir_conn_tls(conn);
    weir__channelz_security *out = info ? weir__show_new(s, sizeof *out) : NULL;
    if (!out)
        return NULL;
    out->model.tls = show_tls(s, info);
    out->model_case = WEIR__CHANNELZ_SECURITY_MODEL_TLS;
    return s->failed ? NULL : out;
}

/* Sockets. */

static google_protobuf_int64_value *show_number(weir__show *s, size_t from)
{
    google_protobuf_int64_value *out = weir__show_new(s, sizeof *out);
    if (out)
        out->value = (int64_t)from;
    return out;
}

static weir__channelz_socket_data *show_data(weir__show *s, const weir_inspect_socket *from)
{
    const weir_grpc_traffic *traffic = &from->traffic;
    weir__channelz_socket_data *out = weir__show_new(s, sizeof *out);
    if (!out)
        return NULL;
    out->streams_started = (int64_t)traffic->streams_started;
    out->streams_succeeded = (int64_t)traffic->streams_succeeded;
    out->streams_failed = (int64_t)traffic->streams_failed;
    out->messages_sent = (int64_t)traffic->messages_sent;
    out->messages_received = (int64_t)traffic->messages_received;
    out->keep_alives_sent = (int64_t)from->keepalives_sent;
    if (from->is_server)
        out->last_remote_stream_created_timestamp = weir__show_time(s, from->last_stream);
    else
        out->last_local_stream_created_timestamp = weir__show_time(s, from->last_stream);
    out->last_message_sent_timestamp = weir__show_time(s, from->last_sent);
    out->last_message_received_timestamp = weir__show_time(s, from->last_received);
    out->local_flow_control_window = show_number(s, from->send_window);
    out->remote_flow_control_window = show_number(s, from->receive_window);
    return out;
}

void weir__show_listener(weir__show *s, const weir_inspect_entity *from, weir__channelz_socket *out)
{
    out->ref = show_ref(s, from->id, &from->addr);
    out->data = weir__show_new(s, sizeof(weir__channelz_socket_data));
    out->local = show_addr(s, &from->addr);
}

void weir__show_socket(weir__show *s, const weir_inspect_socket *from, bool summary,
                       weir__channelz_socket *out)
{
    weir__channelz_socket_data *data = show_data(s, from);
    out->ref = show_ref(s, from->id, &from->peer);
    out->data = data;
    out->local = show_addr(s, &from->local);
    out->remote = show_addr(s, &from->peer);
    if (!data || summary)
        return;
    out->security = show_security(s, from->conn);
    data->option.len = show_options(s, from->conn, &data->option.items);
}
