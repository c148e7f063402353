"""What the tests of the command share: processes whose lines can be awaited, and registries.

Everything started here is stopped here, by its process id, and lives in a temporary directory.
"""
import base64
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("YURPC_COMMAND", str(ROOT / "build/dev/bin/yurpc"))
SLOWNESS = float(os.environ.get("YURPC_SLOWNESS", "1"))  # sanitizers take their time
PATIENCE = 20 * SLOWNESS  # seconds after which something never happens
CANARY = "S3cr3t"  # part of every password
SECRET = re.compile(CANARY + r"|(?<![A-Za-z])[A-Za-z]{16}\.[0-9]|eyJ[A-Za-z0-9_-]+\.")  # and etcd's tokens

ENGINES = {
    "3.4": pathlib.Path(shutil.which("etcd") or "/usr/bin/etcd"),
    "3.5": ROOT / "build/engines/etcd-3.5/usr/bin/etcd",
}


def eventually(condition, within=PATIENCE):
    """Whether @condition becomes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def check_secrets(text):
    """Nobody prints a password or a token."""
    told = SECRET.search(text)
    if told:
        raise AssertionError(f"a secret was told: {text[max(0, told.start() - 80):told.end() + 20]}")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Process:
    """A running command; its lines can be awaited."""

    def __init__(self, arguments, env=None, **options):
        self.arguments = arguments
        self.popen = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env=env, text=True,
                                      start_new_session=True, **options)
        self.out, self.err = queue.Queue(), queue.Queue()
        self.all = []  # the lines of both
        self.threads = [self._pump(self.popen.stdout, self.out), self._pump(self.popen.stderr, self.err)]

    def _pump(self, stream, lines):
        def run():
            for line in stream:
                self.all.append(line)
                lines.put(line.rstrip("\n"))
            lines.put(None)
            stream.close()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _next(self, lines, within):
        try:
            line = lines.get(timeout=within)
        except queue.Empty:
            raise AssertionError(f"no line within {within} s from {self.arguments}; "
                                 f"stderr: {self.drain(self.err)}") from None
        if line is None:
            lines.put(None)
            raise AssertionError(f"{self.arguments} ended; stderr: {self.drain(self.err)}")
        return line

    @staticmethod
    def drain(lines):
        found = []
        while not lines.empty():
            found.append(lines.get())
        return found

    def line(self, within=PATIENCE):
        """The next line of stdout."""
        return self._next(self.out, within)

    def said(self, text, within=PATIENCE):
        """The next line of stderr that contains @text."""
        deadline = time.monotonic() + within
        while True:
            line = self._next(self.err, max(0.01, deadline - time.monotonic()))
            if text in line:
                return line

    def send(self, number):
        self.popen.send_signal(number)

    def wait(self, within=PATIENCE):
        """The exit code."""
        return self.popen.wait(timeout=within)

    def stop(self):
        """The process and what it started."""
        if self.popen.returncode is None:  # not reaped: its id is still its own
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        for thread in self.threads:
            thread.join(timeout=1)
        check_secrets("".join(self.all))


class Local:
    """The embedded registry in a directory of its own."""
    name = "local"

    def __init__(self, directory):
        self.options = ["-r", "local", "-a", str(pathlib.Path(directory) / "registry.db")]


class Etcd:
    """A real etcd on free loopback ports, and raw access to it by its JSON gateway."""

    def __init__(self, version, directory):
        self.name = "etcd " + version
        self.binary = str(ENGINES[version])
        self.directory = pathlib.Path(directory) / ("etcd-" + version)
        self.port, self.peer_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = ["-r", "etcd", "-a", self.url]
        self.arguments = []  # more of them for etcd
        self.context = None  # of TLS, for the JSON gateway
        self.popen = None
        self.headers = {}  # of calls of the gateway

    def start(self):
        self.directory.mkdir(mode=0o700, exist_ok=True)
        peer = f"http://127.0.0.1:{self.peer_port}"
        log = open(self.directory.with_suffix(".log"), "ab")
        self.popen = subprocess.Popen(
            [self.binary, "--name", "one", "--data-dir", str(self.directory),
             "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", f"one={peer}", "--logger", "zap",
             *self.arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "ETCD_UNSUPPORTED_ARCH": os.uname().machine})
        log.close()
        if not eventually(self.is_healthy):
            raise AssertionError(self.directory.with_suffix(".log").read_text()[-2000:])

    def is_healthy(self):
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=2, context=self.context) as answer:
                return json.load(answer)["health"] == "true"
        except (OSError, ValueError):
            return False

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def stop(self):
        if self.popen is not None and self.popen.poll() is None:
            self.kill()

    def freeze(self):
        """When it returns, nothing is answered any more."""
        self.popen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED)

    def thaw(self):
        self.popen.send_signal(signal.SIGCONT)

    def wipe(self):
        shutil.rmtree(self.directory)

    def call(self, path, **fields):
        """One call of the JSON gateway."""
        request = urllib.request.Request(self.url + "/v3/" + path, json.dumps(fields).encode(),
                                         headers=self.headers)
        with urllib.request.urlopen(request, timeout=PATIENCE, context=self.context) as answer:
            return json.load(answer)

    @staticmethod
    def base64(text):
        return base64.b64encode(text.encode()).decode()

    def put(self, key, value, lease=0):
        self.call("kv/put", key=self.base64(key), value=self.base64(value), lease=lease)

    def delete(self, key):
        self.call("kv/deleterange", key=self.base64(key))

    def grant(self, ttl):
        return self.call("lease/grant", TTL=ttl)["ID"]

    def revoke(self, lease):
        self.call("lease/revoke", ID=lease)

    def all(self, prefix):
        """{key: (value, lease)} under @prefix."""
        last = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        answer = self.call("kv/range", key=self.base64(prefix), range_end=self.base64(last))
        decode = lambda text: base64.b64decode(text).decode()
        return {decode(kv["key"]): (decode(kv.get("value", "")), kv.get("lease", "0"))
                for kv in answer.get("kvs", [])}

    def revision(self):
        return int(self.call("kv/range", key=self.base64("none"))["header"]["revision"])

    def ttl(self, lease):
        """The TTL as granted."""
        return int(self.call("lease/timetolive", ID=lease)["grantedTTL"])

    def ttl_left(self, lease):
        """What is left of it; -1: there is no such lease."""
        return int(self.call("lease/timetolive", ID=lease)["TTL"])


class CommandTest(unittest.TestCase):
    """A test that runs the command. Each test has services of its own."""
    registry = None

    @classmethod
    def set_up_etcd(cls):
        """Called when it serves."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="yurpc-test-")
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)

    @classmethod
    def make_etcd(cls, version):
        return Etcd(version, cls.directory)

    def setUp(self):
        self.service = "com.acme.T" + str(time.monotonic_ns()) + ":1.0"
        self.name = self.service.split(":")[0]

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("YURPC_")}
        env.pop("NO_COLOR", None)
        env["YURPC_CACHE_DIR"] = self.directory + "/cache"
        return env

    def arguments(self, arguments, registry=None):
        registry = registry or self.registry
        return [COMMAND, *(registry.options if registry else []), *arguments]

    def start(self, *arguments, registry=None, **options):
        process = Process(self.arguments(arguments, registry), self.environment(), **options)
        self.addCleanup(process.stop)
        return process

    def run_command(self, *arguments, registry=None, within=PATIENCE, env=None):
        """The finished command: returncode, stdout, stderr."""
        done = subprocess.run(self.arguments(arguments, registry), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=within,
                              env={**self.environment(), **(env or {})}, check=False)
        check_secrets(done.stdout + done.stderr)
        return done

    def register(self, address, *options, service=None):
        """A provider that is registered."""
        service = service or self.service
        provider = self.start("register", service, address, *options)
        full = service if ":" in service else service + ":1.0"
        self.assertEqual(provider.line(), f"registered {full} {address}")
        return provider

    def addresses(self, service=None):
        """What discover finds."""
        done = self.run_command("discover", service or self.service, "-o", "address")
        self.assertIn(done.returncode, (0, 3), done.stderr)
        return done.stdout.split()

    def leave(self, provider):
        """Stop a provider properly."""
        provider.send(signal.SIGTERM)
        self.assertEqual(provider.wait(), 0, provider.drain(provider.err))

    def assert_changes(self, consumer, *wanted, within=PATIENCE):
        """The consumer's next lines; that an instance begins to drain may be seen or not."""
        for line in wanted:
            seen = consumer.line(within)
            while seen.startswith("changed ") and seen.endswith(" draining"):
                seen = consumer.line(within)
            self.assertEqual(seen, line)


def on_local(tests):
    """A class that runs @tests on the embedded registry."""
    class OnLocal(tests, CommandTest):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            cls.registry = Local(cls.directory)
    OnLocal.__name__ = OnLocal.__qualname__ = tests.__name__ + "OnLocal"
    return OnLocal


def on_etcd(version, tests):
    """A class that runs @tests on a real etcd of @version."""
    class OnEtcd(tests, CommandTest):
        @classmethod
        def setUpClass(cls):
            if not ENGINES[version].exists():
                print(f"\n*** SKIPPED: no etcd {version} at {ENGINES[version]}: "
                      f"{tests.__name__} was not run on it ***\n", file=sys.stderr)
                raise unittest.SkipTest(f"no etcd {version}")
            super().setUpClass()
            cls.registry = cls.make_etcd(version)
            cls.addClassCleanup(cls.registry.stop)
            cls.registry.start()
            cls.set_up_etcd()
    OnEtcd.__name__ = OnEtcd.__qualname__ = f"{tests.__name__}OnEtcd{version.replace('.', '_')}"
    return OnEtcd


def on_each_registry(tests):
    return on_local(tests), on_each_etcd(tests)


def on_each_etcd(tests):
    return tuple(on_etcd(version, tests) for version in ENGINES)


def load(*classes):
    """The load_tests of a module that tests @classes, which may be nested in tuples."""
    def flatten(items):
        for item in items:
            yield from flatten(item) if isinstance(item, tuple) else (item,)

    def load_tests(loader, _tests, _pattern):
        return unittest.TestSuite(loader.loadTestsFromTestCase(one) for one in flatten(classes))
    return load_tests


def main():
    unittest.main(verbosity=2)
