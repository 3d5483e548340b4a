"""Makes the Python modules for weir.chat.v1 on first use, with Debian's protoc and gRPC plugin."""
import importlib
import os
import subprocess
import sys
import tempfile
import types

import grpc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = ("account", "people", "conversation", "chat", "notification", "admin")


def load():
    """Returns (messages, stubs): every message and enum value, and every service's stub."""
    out = tempfile.mkdtemp(prefix="weir-chat-")
    proto = os.path.join(ROOT, "apps", "chat", "proto")
    subprocess.run(
        ["protoc", "-I", proto, "--python_out", out,
         "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", "--grpc_out", out,
         *(f"weir/chat/v1/{name}.proto" for name in FILES)], check=True)
    sys.path.insert(0, out)
    messages, stubs = types.SimpleNamespace(), types.SimpleNamespace()
    for name in FILES:
        for target, module in ((messages, f"{name}_pb2"), (stubs, f"{name}_pb2_grpc")):
            loaded = importlib.import_module(f"weir.chat.v1.{module}")
            vars(target).update({key: value for key, value in vars(loaded).items()
                                 if not key.startswith("_")})
    return messages, stubs


def log_in(channel, messages, stubs, name, password):
    """Registers the account if it is new. Returns the metadata for further calls."""
    accounts = stubs.AccountServiceStub(channel)
    try:
        reply = accounts.Register(messages.RegisterRequest(name=name, password=password),
                                  timeout=30)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.ALREADY_EXISTS:
            raise
        reply = accounts.LogIn(messages.LogInRequest(name=name, password=password), timeout=30)
    return (("authorization", "Bearer " + reply.token),)
