"""Redis for tests: Debian's.

    with Redis(password="secret") as redis:
        run(program, redis.url)
        redis.kill()
        redis.start()
"""

from real_server import RealServer


class Redis(RealServer):
    def __init__(self, password=""):
        self.password = password
        super().__init__("Redis")

    @property
    def url(self):
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    def command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                "--appendonly", "no", "--requirepass", self.password]

    def serves(self):
        return self.says(b"PING\r\n").startswith((b"+PONG", b"-NOAUTH"))
