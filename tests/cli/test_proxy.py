"""etcd's own grpc-proxy between the command and etcd: it numbers watches itself, and comes and goes (G112)."""
import pathlib
import signal
import socket
import subprocess
import time

from harness import eventually, free_port, load, main, on_each_etcd

TTL = 5  # seconds


class Proxy:
    """The grpc-proxy of an etcd on a free loopback port."""

    def __init__(self, etcd, directory):
        self.etcd = etcd
        self.directory = pathlib.Path(directory) / "proxy"
        self.port = free_port()
        self.options = ["-r", "etcd", "-a", f"http://127.0.0.1:{self.port}"]
        self.popen = None

    def start(self):
        with open(self.directory.with_suffix(".log"), "ab") as log:
            self.popen = subprocess.Popen(
                [self.etcd.binary, "grpc-proxy", "start", "--endpoints", self.etcd.url,
                 "--listen-addr", f"127.0.0.1:{self.port}", "--data-dir", str(self.directory)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not eventually(self.is_there):
            raise AssertionError(self.directory.with_suffix(".log").read_text()[-2000:])

    def is_there(self):
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.popen is not None and self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


class BehindProxy:
    def setUp(self):
        super().setUp()
        self.proxy = Proxy(self.registry, self.directory)
        self.addCleanup(self.proxy.stop)
        self.proxy.start()

    def through(self, *arguments):
        return self.start(*arguments, registry=self.proxy)

    def provider(self, address):
        provider = self.through("register", self.service, address, "--ttl", str(TTL), "-v")
        self.assertEqual(provider.line(), f"registered {self.service} {address}")
        return provider

    def leases(self):
        found = self.registry.all(f"/rpc/{self.service}/")
        return {key: lease for key, (_value, lease) in found.items()}

    def assert_told(self, consumer, *wanted):
        """Draining is told or not, by how fast the end is; nothing is ever stale."""
        for line in wanted:
            seen = consumer.line()
            while seen.startswith("changed "):
                seen = consumer.line()
            self.assertEqual(seen, line)

    def test_who_comes_and_goes_is_told(self):
        consumer = self.through("watch", self.service)
        first, second = self.provider("10.0.0.5:8080"), self.provider("10.0.0.6:8080")
        self.assert_told(consumer, "up 10.0.0.5:8080", "up 10.0.0.6:8080")
        done = self.run_command("discover", self.service, "-o", "address", registry=self.proxy)
        self.assertEqual(done.stdout.split(), ["10.0.0.5:8080", "10.0.0.6:8080"], done.stderr)
        self.assertIn(self.service, self.run_command("services", registry=self.proxy).stdout)
        self.leave(first)
        self.assert_told(consumer, "down 10.0.0.5:8080")
        second.send(signal.SIGKILL)
        self.assert_told(consumer, "down 10.0.0.6:8080")
        self.leave(consumer)

    def test_a_lease_is_kept_through_it_and_through_its_restart(self):
        provider = self.provider("10.0.0.5:8080")
        before = self.leases()
        time.sleep(2 * TTL)
        self.assertEqual(self.leases(), before)
        self.proxy.stop()
        self.proxy.start()
        time.sleep(2 * TTL)
        self.assertEqual(self.leases(), before)
        self.leave(provider)
        self.assertEqual(self.leases(), {})


load_tests = load(on_each_etcd(BehindProxy))

if __name__ == "__main__":
    main()
