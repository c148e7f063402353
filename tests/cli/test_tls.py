"""The command with an etcd that speaks TLS and wants to see a client's certificate."""
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import time

from harness import CANARY, COMMAND, SLOWNESS, Etcd, eventually, load, main, on_each_etcd

MAKE_CERT = os.environ.get("YURPC_MAKE_CERT",
                           str(pathlib.Path(COMMAND).with_name("yurpc_make_cert")))


class Files:
    """Certificates of a CA in a directory of their own, named as their makers: ca, server, client."""

    def __init__(self, directory, name="ca"):
        self.directory = pathlib.Path(directory)
        self.make("ca", name, "ca")
        self.make("server", "etcd", "issuer=" + self.path("ca"), "names=DNS:localhost,IP:127.0.0.1")
        self.make("client", "provider", "issuer=" + self.path("ca"))

    def path(self, name):
        return str(self.directory / name)

    def make(self, name, *words):
        subprocess.run([MAKE_CERT, self.path(name), *words], check=True)

    def take(self, other, *names):
        """Files of @other, each in one rename, in this order."""
        for name in names:
            shutil.copy(other.path(name), self.path(name + ".new"))
            os.replace(self.path(name + ".new"), self.path(name))

    @property
    def options(self):
        return ["--cacert", self.path("ca.pem"), "--cert", self.path("client.pem"),
                "--key", self.path("client.key")]

    def context(self):
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        context.load_cert_chain(self.path("client.pem"), self.path("client.key"))
        return context


class TlsEtcd(Etcd):
    """It reads its files when it starts."""

    def __init__(self, version, directory, files):
        super().__init__(version, directory)
        self.url = self.url.replace("http:", "https:")
        self.address = ["-r", "etcd", "-a", self.url]
        self.arguments = ["--cert-file", files.path("server.pem"), "--key-file", files.path("server.key"),
                          "--trusted-ca-file", files.path("ca.pem"), "--client-cert-auth"]
        self.use(files)

    def use(self, files):
        """From now on the tests themselves are clients with @files."""
        self.context = files.context()
        self.options = [*self.address, *files.options]


class Tls:
    @classmethod
    def make_etcd(cls, version):
        cls.files = Files(tempfile.mkdtemp(dir=cls.directory))
        return TlsEtcd(version, cls.directory, cls.files)

    def refused(self, code, *options, address=None):
        """What the command says when it must not get in."""
        done = subprocess.run([COMMAND, "-r", "etcd", "-a", address or self.registry.url, "discover",
                               self.service, "--timeout", "5000", *options], capture_output=True,
                              text=True, timeout=60, env=self.environment(), check=False)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def test_a_provider_and_a_consumer_meet(self):
        consumer = self.start("watch", self.service)
        provider = self.register("10.0.0.5:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        self.assertEqual(self.addresses(), ["10.0.0.5:8080"])
        self.leave(provider)
        self.assert_changes(consumer, "down 10.0.0.5:8080")

    def test_the_environment_names_the_files_as_well(self):
        self.register("10.0.0.5:8080")
        done = subprocess.run([COMMAND, *self.registry.address, "discover", self.service, "-o", "address"],
                              env={**self.environment(), "YURPC_TLS_CA_FILE": self.files.path("ca.pem"),
                                   "YURPC_TLS_CERT_FILE": self.files.path("client.pem"),
                                   "YURPC_TLS_KEY_FILE": self.files.path("client.key")},
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "10.0.0.5:8080\n"), done.stderr)

    def test_who_is_refused_is_told_why_and_what_to_do(self):
        ca = ["--cacert", self.files.path("ca.pem")]
        other = Files(tempfile.mkdtemp(dir=self.directory), "other")
        self.assertIn("wants a client certificate", self.refused(5, *ca))
        self.assertIn("see --cacert, --cert and --key", self.refused(5, *ca))
        text = self.refused(5, *other.options)
        self.assertIn('is issued by "CN=ca"', text)
        self.assertIn(other.path("ca.pem"), text)
        text = self.refused(5, *ca, "--cert", other.path("client.pem"), "--key", other.path("client.key"))
        self.assertIn("refuses our certificate " + other.path("client.pem"), text)
        self.assertIn("https://", self.refused(4, address=self.registry.url.replace("https:", "http:")))

    def test_a_list_from_disk_does_not_hide_a_refusal(self):
        self.register("10.0.0.5:8080")
        self.assertEqual(self.addresses(), ["10.0.0.5:8080"])
        self.assertIn("wants a client certificate", self.refused(5, "--cacert", self.files.path("ca.pem")))

    def test_a_provider_who_is_refused_is_told_and_leaves_nothing(self):
        done = subprocess.run([COMMAND, *self.registry.address, "register", self.service, "10.0.0.5:8080",
                               "--timeout", "5000", "--cacert", self.files.path("ca.pem")],
                              env=self.environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (5, ""), done.stderr)
        self.assertIn("wants a client certificate", done.stderr)
        self.assertEqual(self.registry.all(f"/rpc/{self.service}/"), {})

    def test_files_that_cannot_be_used_are_an_error_at_once(self):
        self.assertIn("cannot read the CA file /none: no such file", self.refused(2, "--cacert", "/none"))
        self.assertIn("tlsKeyFile", self.refused(2, "--cert", self.files.path("client.pem")))
        self.assertIn("is not the key of", self.refused(
            2, "--cert", self.files.path("client.pem"), "--key", self.files.path("ca.key")))

    def test_insecure_says_so_and_is_refused_with_a_password(self):
        self.register("10.0.0.5:8080")
        done = subprocess.run([COMMAND, *self.registry.address, *self.files.options[2:], "discover",
                               self.service, "--insecure-skip-tls-verify", "-o", "address"],
                              env=self.environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "10.0.0.5:8080\n"), done.stderr)
        self.assertIn("certificates are not verified", done.stderr)
        secret = pathlib.Path(self.files.path("password"))
        secret.touch(mode=0o600)
        secret.write_text(CANARY + "\n")
        self.assertIn("password", self.refused(2, "--insecure-skip-tls-verify", "--user", "root",
                                               "--password-file", str(secret)))

    def test_a_password_in_plain_text_is_warned_of_unasked(self):
        secret = pathlib.Path(self.files.path("password"))
        secret.touch(mode=0o600)
        secret.write_text(CANARY + "\n")
        done = subprocess.run([COMMAND, "--address", "http://192.0.2.1:2379", "--user", "root", "--password-file",
                               str(secret), "--timeout", "100", "discover", self.service],
                              env=self.environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertIn("goes over the network in plain text: 192.0.2.1:2379 is not https", done.stderr)
        self.assertNotIn(CANARY, done.stderr)

    def etcd_of_its_own(self, files):
        etcd = TlsEtcd(self.registry.name.split()[1], tempfile.mkdtemp(dir=self.directory), files)
        self.addCleanup(etcd.stop)
        etcd.start()
        return etcd

    def assert_kept(self, etcd, provider, before, since, ttl):
        """The provider's record is what it was, longer than the lease lasts without renewal."""
        provider.said("connected to", within=ttl)
        while time.monotonic() < since + ttl + 2:
            self.assertEqual(etcd.all(f"/rpc/{self.service}/"), before)
            time.sleep(0.5)
        self.assertIsNone(provider.popen.poll())
        said = [line for line in provider.drain(provider.err) if line is not None]
        self.assertEqual([line for line in said if "LOST" in line or "REGISTERED" in line], [])

    def test_a_new_ca_and_new_certificates_lose_no_registration(self):
        ttl = int(15 * SLOWNESS)
        old = Files(tempfile.mkdtemp(dir=self.directory), "old")
        new = Files(tempfile.mkdtemp(dir=self.directory), "new")
        provided = Files(tempfile.mkdtemp(dir=self.directory), "old")
        served = Files(tempfile.mkdtemp(dir=self.directory), "old")
        for files in provided, served:
            files.take(old, "ca.pem", "server.pem", "server.key", "client.pem", "client.key")
        etcd = self.etcd_of_its_own(served)
        etcd.use(old)
        provider = self.start("register", self.service, "10.0.0.5:8080", "--ttl", str(ttl), "-v",
                              *provided.options, registry=Bare(etcd))
        self.assertEqual(provider.line(), f"registered {self.service} 10.0.0.5:8080")
        provider.said("connected to")
        before = etcd.all(f"/rpc/{self.service}/")
        self.assertEqual(len(before), 1)
        etcd.kill()
        since = time.monotonic()
        served.take(new, "ca.pem", "server.pem", "server.key")
        etcd.use(new)
        etcd.start()
        provider.said('is issued by "CN=new"')
        provided.take(new, "client.pem")  # half of a pair, and a CA that does not know it yet
        provided.take(new, "ca.pem")
        provider.said("is not the key of the certificate file", within=ttl)
        provided.take(new, "client.key")
        self.assert_kept(etcd, provider, before, since, ttl)

    def test_a_certificate_that_is_renewed_before_it_expires_loses_no_registration(self):
        ttl = int(15 * SLOWNESS)
        files = Files(tempfile.mkdtemp(dir=self.directory))
        provided = Files(tempfile.mkdtemp(dir=self.directory))
        provided.take(files, "ca.pem", "ca.key")
        provided.make("client", "provider", "issuer=" + provided.path("ca"), "from=-60",
                      f"until={int(5 * SLOWNESS)}")
        expires = time.monotonic() + int(5 * SLOWNESS)
        etcd = self.etcd_of_its_own(files)
        provider = self.start("register", self.service, "10.0.0.5:8080", "--ttl", str(ttl), "-v",
                              *provided.options, registry=Bare(etcd))
        self.assertEqual(provider.line(), f"registered {self.service} 10.0.0.5:8080")
        provider.said("connected to")
        before = etcd.all(f"/rpc/{self.service}/")
        provided.make("client", "provider", "issuer=" + provided.path("ca"))
        time.sleep(max(0.0, expires + 1.5 - time.monotonic()))
        etcd.kill()  # so that the provider has to connect again
        since = time.monotonic()
        etcd.start()
        self.assert_kept(etcd, provider, before, since, ttl)


class Bare:
    """An etcd's address without its files."""

    def __init__(self, etcd):
        self.options = etcd.address


load_tests = load(on_each_etcd(Tls))

if __name__ == "__main__":
    main()
