"""The servers beside weir-echo: an echo, and with HTTP a greeting for each request."""

import os
import random
import shutil
import socket

from servers import SERVER_CPU, Server

WEIR = "weir"
HAND_WRITTEN = "hand-written"
NGINX = "nginx"
PROGRAMS = {HAND_WRITTEN: "bench-net-epoll", "libuv": "bench-net-uv", "libevent": "bench-net-event"}

NGINX_CONFIG = """
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
error_log stderr crit;
pid nginx.pid;
events { worker_connections 19000; multi_accept on; }
http {
    access_log off;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    client_body_temp_path tmp;
    proxy_temp_path tmp;
    fastcgi_temp_path tmp;
    uwsgi_temp_path tmp;
    scgi_temp_path tmp;
    server {
        listen 127.0.0.1:%d backlog=4096;
        location / { default_type text/plain; return 200 "Hello, World!"; }
    }
}
"""


def program(build, name):
    path = os.path.join(build, "bench", name)
    if not os.path.exists(path):
        raise RuntimeError(f"{path} was not built: install what scripts/deps bench names, set WEIR_BENCH")
    return path


def weir(build, *options, name=WEIR, cpus=(SERVER_CPU,)):
    """weir-echo tells by the first bytes whether it is asked for an echo or for a greeting."""
    command = [os.path.join(build, "bin", "weir-echo"), "--listen", "127.0.0.1:0", *options]
    return Server(name, command, cpus=cpus)


def _port_for_a_listener():
    """Below those that the kernel gives to clients."""
    for port in random.sample(range(20000, 32768), 100):
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            continue
    raise RuntimeError("no port is free for nginx")


def nginx(folder):
    """@param folder  for its configuration and files"""
    command = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not command:
        raise RuntimeError("nginx is missing: scripts/deps bench")
    port = _port_for_a_listener()
    config = os.path.join(folder, f"nginx-{port}.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(NGINX_CONFIG % port)
    return Server(NGINX, [command, "-e", "stderr", "-p", folder, "-c", config], port)


def starters(build, folder, http):
    """@return for each name, weir first, a function that starts that server"""
    flags = ["--http"] if http else []
    result = {WEIR: lambda: weir(build, "--model", "single")}
    for name, file in PROGRAMS.items():
        result[name] = lambda name=name, file=file: Server(name, [program(build, file), *flags])
    if http:
        result[NGINX] = lambda: nginx(folder)
    return result
