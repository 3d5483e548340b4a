"""Makes the Python modules for chat.proto on first use, with Debian's protoc and gRPC plugin."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def load():
    """Returns the modules (messages, stubs) of weir.chat.v1."""
    out = tempfile.mkdtemp(prefix="weir-chat-")
    proto = os.path.join(ROOT, "apps", "chat", "proto")
    subprocess.run(
        ["protoc", "-I", proto, "--python_out", out,
         "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", "--grpc_out", out,
         "weir/chat/v1/chat.proto"], check=True)
    sys.path.insert(0, out)
    from weir.chat.v1 import chat_pb2, chat_pb2_grpc
    return chat_pb2, chat_pb2_grpc
