"""gRPC's interoperability cases, and what a peer itself cannot do of them."""

CASES = (
    "empty_unary",
    "large_unary",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_streaming",
    "client_compressed_streaming",
    "server_streaming",
    "server_compressed_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "rpc_soak",
    "channel_soak",
)

_UNSEEN_REQUEST = "its server does not show whether a request came compressed"
_UNSEEN_REPLY = "its client does not show whether a reply came compressed, only that it is right"

# (side, peer, case): why it is left out.
LEFT_OUT = {
    ("server", "python", "client_compressed_unary"): _UNSEEN_REQUEST,
    ("server", "python", "client_compressed_streaming"): _UNSEEN_REQUEST,
    ("server", "node", "client_compressed_unary"): _UNSEEN_REQUEST,
    ("server", "node", "client_compressed_streaming"): _UNSEEN_REQUEST,
    ("server", "node", "server_compressed_unary"): "its server never compresses",
    ("server", "node", "server_compressed_streaming"): "its server never compresses",
    ("client", "python", "client_compressed_streaming"):
        "its client compresses all messages of a call or none",
}

# (side, peer, case): run, but with less seen.
IN_PART = {
    ("client", "python", "server_compressed_unary"): _UNSEEN_REPLY,
    ("client", "python", "server_compressed_streaming"): _UNSEEN_REPLY,
    ("client", "node", "server_compressed_unary"): _UNSEEN_REPLY,
    ("client", "node", "server_compressed_streaming"): _UNSEEN_REPLY,
}


def reason(table, client, server, case):
    """@return "peer: why", or None"""
    for side, peer in (("client", client), ("server", server)):
        if (side, peer, case) in table:
            return f"{peer}: {table[side, peer, case]}"
    return None
