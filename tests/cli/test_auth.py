"""Users and passwords, on real etcds with authentication on; and that no password shows up."""
import pathlib
import re
import socket
import sys
import threading
import time
import urllib.error

from harness import CANARY, PATIENCE, SLOWNESS, eventually, load, main, on_each_etcd

TOKEN_TTL = 3  # seconds; etcd looks for expired tokens once a second
AT_ONCE = 3 * SLOWNESS


def dumped_spans(pid):
    """The mappings of a process that a core dump would hold: first, last, name."""
    with open(f"/proc/{pid}/smaps") as maps:
        for line in maps:
            words = line.split()
            if re.fullmatch("[0-9a-f]+-[0-9a-f]+", words[0]):
                span = [int(end, 16) for end in words[0].split("-")] + [words[-1]]
            elif words[0] == "VmFlags:" and "rd" in words and "dd" not in words:
                yield span


def places_in_dump(pid, texts):
    """Where a core dump of the process, taken now, would hold one of @texts."""
    found = []
    try:
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for first, last, name in dumped_spans(pid):
                if name == "[vvar]":  # the kernel's own
                    continue
                memory.seek(first)
                held = memory.read(last - first)
                found += [(text, hex(first), name) for text in texts if text in held]
    except PermissionError:
        print("\n*** SKIPPED: the kernel does not show the memory of our own child ***\n",
              file=sys.stderr)
    return found


class Wire:
    """Listens in on what a client and etcd say to each other."""

    def __init__(self, port):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = port
        self.options = ["-r", "etcd", "-a", f"http://127.0.0.1:{self.server.getsockname()[1]}"]
        self.sent, self.received = bytearray(), bytearray()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client = self.server.accept()[0]
                etcd = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            for ends in ((client, etcd, self.sent), (etcd, client, self.received)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    @staticmethod
    def _pump(source, target, heard):
        with source, target:
            try:
                while data := source.recv(65536):
                    heard += data
                    target.sendall(data)
            except OSError:
                pass

    def tokens(self):
        """All that etcd gave, as they are, and as HPACK writes them behind their name."""
        plain = re.findall(rb"[A-Za-z]{16}\.[0-9]+", self.received)
        packed = [self.sent[found.end():found.end() + (found[1][0] & 0x7f)]
                  for found in re.finditer(rb"\x10\x84\x49\xfa\x96\xaf(.)", self.sent, re.S)]
        return set(plain) | set(map(bytes, packed))


class Auth:
    @classmethod
    def make_etcd(cls, version):
        registry = super().make_etcd(version)
        registry.arguments = ["--auth-token-ttl", str(TOKEN_TTL)]
        return registry

    @classmethod
    def set_up_etcd(cls):
        registry = cls.registry
        for name, password in (("root", CANARY + "-root"), ("user", CANARY), ("weak", CANARY)):
            registry.call("auth/user/add", name=name, password=password)
        registry.call("auth/role/add", name="root")
        registry.call("auth/user/grant", user="root", role="root")
        registry.call("auth/role/add", name="rpc")
        registry.call("auth/role/grant", name="rpc", perm={
            "permType": "READWRITE", "key": registry.base64("/rpc/"),
            "range_end": registry.base64("/rpc0")})
        registry.call("auth/user/grant", user="user", role="rpc")
        registry.call("auth/enable")

    def setUp(self):
        super().setUp()
        self.password_file = pathlib.Path(self.directory) / (self.name + ".password")
        self.write(CANARY + "\n")

    def write(self, text, mode=0o600):
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(text)
        self.password_file.chmod(mode)

    def as_root(self, path, **fields):
        """A call of the gateway by root, whose token may have expired."""
        registry = self.registry
        try:
            return registry.call(path, **fields)
        except urllib.error.HTTPError as error:
            error.close()
        registry.headers = {}
        token = registry.call("auth/authenticate", name="root", password=CANARY + "-root")["token"]
        registry.headers = {"Authorization": token}
        return registry.call(path, **fields)

    def keys(self):
        last = f"/rpc/{self.service}0"
        kvs = self.as_root("kv/range", key=self.registry.base64(f"/rpc/{self.service}/"),
                           range_end=self.registry.base64(last)).get("kvs", [])
        return [(kv["key"], kv["lease"], kv["create_revision"]) for kv in kvs]

    @property
    def user(self):
        return ["--user", "user", "--password-file", str(self.password_file)]

    def assert_refused(self, text, *options, env=None):
        """Every command ends with status 5, at once, and says why."""
        for command in (["register", self.service, "10.0.0.5:8080"], ["discover", self.service],
                        ["watch", self.service], ["services"],
                        ["unregister", self.service, "10.0.0.5:8080"]):
            begin = time.monotonic()
            done = self.run_command(*command, *options, "-vv", env=env)
            self.assertEqual(done.returncode, 5, (command, done.stderr))
            self.assertIn(text, done.stderr, command)
            self.assertLess(time.monotonic() - begin, AT_ONCE, command)

    def test_the_password_comes_from_a_file_or_the_environment(self):
        provider = self.register("10.0.0.5:8080", *self.user)
        secret = {"YURPC_PASSWORD": CANARY}
        for options, env in ((self.user, None), (["--user", "user"], secret),
                             ([], {**secret, "YURPC_USERNAME": "user"})):
            done = self.run_command("discover", self.service, "-o", "address", *options, env=env)
            self.assertEqual((done.stdout, done.returncode), ("10.0.0.5:8080\n", 0), done.stderr)
        done = self.run_command("services", *self.user, "-vv")
        self.assertIn(self.service, done.stdout)
        consumer = self.start("watch", self.service, *self.user, "-vv")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        done = self.run_command("unregister", self.service, "10.0.0.9:1", *self.user)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.leave(provider)
        self.assert_changes(consumer, "down 10.0.0.5:8080")
        self.leave(consumer)

    def test_a_wrong_password_is_refused_at_once(self):
        wrong = {"YURPC_PASSWORD": CANARY + "x"}
        self.assert_refused("etcd refuses user user: etcdserver: authentication failed",
                            "--user", "user", env=wrong)
        self.assert_refused("etcd refuses user nobody", "--user", "nobody", env=wrong)

    def test_nobody_is_asked_for_a_user(self):
        self.assert_refused("etcd wants a user, and none is configured")

    def test_who_has_no_right_is_denied_at_once(self):
        self.assert_refused("permission denied", "--user", "weak",
                            env={"YURPC_PASSWORD": CANARY})

    def test_what_cannot_be_right_is_said_before_anything_is_sent(self):
        for options, env, text in (
                (["--user", "user"], {}, "but no password"),
                ([], {"YURPC_PASSWORD": CANARY}, "but no user"),
                (["--user", "user", "--password-file", "/nonexistent"], {}, "No such file")):
            done = self.run_command("discover", self.service, *options, env=env)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(text, done.stderr)
        self.write(CANARY, mode=0o644)
        done = self.run_command("discover", self.service, *self.user)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("is open to other users: chmod 600 it", done.stderr)

    def test_a_registration_outlives_its_token(self):
        provider = self.register("10.0.0.5:8080", *self.user, "--ttl", "5", "-vv")
        consumer = self.start("watch", self.service, *self.user, "-vv")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        before = self.keys()
        time.sleep(4 * TOKEN_TTL)
        self.assertEqual(self.keys(), before)
        self.register("10.0.0.6:8080", *self.user)
        self.assert_changes(consumer, "up 10.0.0.6:8080")
        self.leave(provider)
        self.assert_changes(consumer, "down 10.0.0.5:8080", within=10)
        self.leave(consumer)

    def test_a_new_password_counts_within_ten_seconds(self):
        provider = self.register("10.0.0.5:8080", *self.user, "-vv")
        try:
            self.as_root("auth/user/changepw", name="user", password=CANARY + "2")
            key = self.registry.base64(f"/rpc/{self.service}/10.0.0.5:8080")
            self.as_root("kv/deleterange", key=key)
            provider.said("etcd refuses user user", within=PATIENCE)
            self.assertEqual(self.keys(), [])
            self.write(CANARY + "2")
            begin = time.monotonic()
            provider.said("REGISTERED again")
            self.assertLess(time.monotonic() - begin, 10 + 2 * SLOWNESS)
        finally:
            self.as_root("auth/user/changepw", name="user", password=CANARY)
            self.write(CANARY)
        self.leave(provider)

    def assert_no_dump_tells(self, provider, wire, logins):
        tokens = wire.tokens()
        self.assertGreaterEqual(len(tokens), 2 * logins)
        self.assertEqual(places_in_dump(provider.popen.pid, {CANARY.encode(), *tokens}), [])

    def assert_no_dump_of_a_provider_tells(self, *options):
        wire = Wire(self.registry.port)
        self.addCleanup(wire.server.close)
        provider = self.start("register", self.service, "10.0.0.5:8080", *options, registry=wire)
        provider.line()
        key = self.registry.base64(f"/rpc/{self.service}/10.0.0.5:8080")
        self.assert_no_dump_tells(provider, wire, logins=1)
        time.sleep(TOKEN_TTL + 1)
        self.as_root("kv/deleterange", key=key)
        self.assertTrue(eventually(self.keys))  # put back, by a token that is new
        self.assert_no_dump_tells(provider, wire, logins=2)
        # That the search finds what is there to be found.
        self.assertNotEqual(places_in_dump(provider.popen.pid, {self.name.encode()}), [])
        with open(f"/proc/{provider.popen.pid}/cmdline", "rb") as line:
            self.assertNotIn(CANARY.encode(), line.read())
        self.leave(provider)

    def test_no_dump_of_a_provider_tells_the_password_or_a_token(self):
        if SLOWNESS > 1:
            print("*** SKIPPED: a sanitizer maps terabytes, and keeps what was freed", file=sys.stderr)
            self.skipTest("a sanitizer")
        self.assert_no_dump_of_a_provider_tells(*self.user)
        settings = pathlib.Path(self.directory) / (self.name + ".properties")
        settings.touch(mode=0o600)
        settings.write_text(f"rpc.registryConfig.username=user\nrpc.registryConfig.password={CANARY}\n")
        self.assert_no_dump_of_a_provider_tells("--config", str(settings))


load_tests = load(on_each_etcd(Auth))

if __name__ == "__main__":
    main()
