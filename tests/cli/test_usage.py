"""Wrong input: one line that says what to do, the right exit code, in time, and nothing done."""
import pathlib
import re
import socket
import subprocess
import threading
import time

from harness import COMMAND, SLOWNESS, CommandTest, Local, free_port, load, main

USAGE, UNREACHABLE = 2, 4


class WrongInput(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Local(cls.directory)

    def assert_refused(self, code, text, *arguments, env=None):
        done = self.run_command(*arguments, env=env)
        self.assertEqual(done.returncode, code, (arguments, done.stderr))
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Ayurpc: [^\n]+\n\Z")
        self.assertRegex(done.stderr, text)

    def test_no_command(self):
        self.assert_refused(USAGE, "register, run, discover")

    def test_an_unknown_command_is_answered_with_the_list(self):
        for name in ("foo", "call", "doctor", "console", "explain", "export"):
            self.assert_refused(USAGE, f"no command '{name}'; use one of: register, run, ", name)

    def test_unknown_options(self):
        self.assert_refused(USAGE, "no option --colour; see yurpc --help", "--colour", "services")
        self.assert_refused(USAGE, "no option -x", "services", "-x")
        self.assert_refused(USAGE, "'services' does not take --ttl", "services", "--ttl", "5")
        self.assert_refused(USAGE, "--help takes no value", "services", "--help=1")
        self.assert_refused(USAGE, "--timeout needs a value: --timeout MS", "services", "--timeout")

    def test_arguments_missing_or_too_many(self):
        self.assert_refused(USAGE, "usage: yurpc register SERVICE HOST:PORT", "register", "a")
        self.assert_refused(USAGE, "'c' is one argument too many", "discover", "a", "c")
        self.assert_refused(USAGE, "usage: yurpc run", "run", "a", "1.2.3.4:5")
        self.assert_refused(USAGE, "usage: yurpc run", "run", "a", "1.2.3.4:5", "--")
        self.assert_refused(USAGE, "usage: yurpc services", "services", "--", "x")

    def test_ports(self):
        for port in ("0", "70000", "65536", "-1", "x", "", "80x", " 80", "99999999999999999999"):
            self.assert_refused(USAGE, "the port must be a number from 1 to 65535",
                                "register", self.service, "10.0.0.5:" + port)

    def test_addresses(self):
        for address, text in {"10.0.0.5": "the port is missing", "": "the port is missing",
                              ":80": "the host is missing", "::1:80": r"\[::1\]:80",
                              "[::1]": "the port is missing", "[::1": "the port is missing",
                              "[x]:80": "not an IPv6 address", "[]:80": "the host is missing",
                              "http://a:80": "without a scheme", "a/b:80": "without a scheme",
                              "x" * 300 + ":80": "too long"}.items():
            for command in ("register", "unregister"):
                self.assert_refused(USAGE, text, command, self.service, address)

    def test_service_names(self):
        for command, *rest in (["register", "10.0.0.5:80"], ["discover"], ["watch"],
                               ["unregister", "10.0.0.5:80"]):
            for name, text in {"": "empty", ":1.0": "empty", "a:": "version", "a/b": "'/'",
                               "a:1/0": "'/'", "x" * 600: "512", "a b": "a", "a\nb": "a",
                               "a\x01b": "a"}.items():
                self.assert_refused(USAGE, text, command, name, *rest)

    def test_ttl_weight_timeout_and_output_have_limits(self):
        register = ["register", self.service, "10.0.0.5:80"]
        for ttl in ("4", "0", "-5", "86401", "x", "5.5", ""):
            self.assert_refused(USAGE, "a number from 5 to 86400", *register, "--ttl", ttl)
        for weight in ("0", "1001"):
            self.assert_refused(USAGE, "a number from 1 to 1000", *register, "--weight", weight)
        for timeout in ("99", "600001"):
            self.assert_refused(USAGE, "a number from 100 to 600000", "services", "--timeout", timeout)
        self.assert_refused(USAGE, "use table, json or address", "services", "-o", "xml")

    def test_metadata_and_check(self):
        register = ["register", self.service, "10.0.0.5:80"]
        self.assert_refused(USAGE, "give KEY=VALUE", *register, "--meta", "x")
        self.assert_refused(USAGE, "give KEY=VALUE", *register, "--meta", "=x")
        self.assert_refused(USAGE, "at most 64", *register, *["--meta=k=v"] * 65)
        self.assert_refused(USAGE, "use tcp, none, or http:PATH", "run", self.service,
                            "10.0.0.5:80", "--check", "udp", "--", "true")

    def test_an_unknown_registry(self):
        self.assert_refused(USAGE, "nonsense.*etcd", "-r", "nonsense", "services")
        self.assert_refused(USAGE, "nonsense.*etcd", "services", "-r", "nonsense")

    def test_bad_registry_addresses(self):
        for address in ("ftp://a:1", "http://", "http://a:0", "http://a:70000", "http://a:1,,b",
                        "http://a:1/path?", "http://[::1"):
            self.assert_refused(USAGE, "right is for example http://", "-r", "etcd", "-a", address, "services")

    def test_wrong_environment_names_the_variable(self):
        self.assert_refused(USAGE, "YURPC_TTL", "services", env={"YURPC_TTL": "1"})
        self.assert_refused(USAGE, "YURPC_TIMEOUT", "services", env={"YURPC_TIMEOUT": "soon"})

    def test_an_unreadable_properties_file(self):
        self.assert_refused(USAGE, "/does/not/exist", "-c", "/does/not/exist", "services")
        self.assert_refused(USAGE, re.escape(self.directory), "-c", self.directory, "services")

    def test_a_malformed_properties_file_is_named_with_its_line(self):
        path = pathlib.Path(self.directory) / "application.properties"
        for line in ("rpc.registryConfig.timeout=soon", "rpc.registryConfig.ttl=1",
                     "rpc.registryConfig.address=\\u12"):
            path.write_text("# a comment\nrpc.name=x\n" + line + "\n")
            self.assert_refused(USAGE, re.escape(str(path)) + ":3", "-c", str(path), "services")

    def test_a_wrong_registry_in_a_file_is_named_too(self):
        path = pathlib.Path(self.directory) / "wrong.properties"
        path.write_text("rpc.registryConfig.registry=nonsense\n")
        done = subprocess.run([COMMAND, "-c", str(path), "services"], capture_output=True, text=True,
                              env=self.environment(), check=False)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("nonsense", done.stderr)

    def test_a_local_file_that_is_no_registry(self):
        path = pathlib.Path(self.directory) / "text.db"
        path.write_text("this is no database\n" * 1000)
        done = self.run_command("-a", str(path), "services")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(path.read_text(), "this is no database\n" * 1000)

    def test_help_and_version_are_no_errors(self):
        for arguments in (["--help"], ["-h"], ["register", "--help"], ["--help", "register"],
                          ["run", "-h"], ["--version"]):
            done = self.run_command(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout)

    def test_without_a_stdout_nothing_else_takes_its_place(self):
        for arguments in (["--help"], ["services", "-o", "json"]):
            closed = ["sh", "-c", 'exec "$@" <&- >&-', "sh", *self.arguments(arguments)]
            done = subprocess.run(closed, env=self.environment(), stderr=subprocess.PIPE,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("cannot write the output", done.stderr)

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write the output", done.stderr)


def answer_with(data, is_closing):
    """A server that is not etcd; the port."""
    server = socket.create_server(("127.0.0.1", 0))
    kept = []

    def run():
        while True:
            try:
                one, _ = server.accept()
            except OSError:
                return
            if data is not None:
                one.sendall(data)
            if is_closing:
                one.close()
            else:
                kept.append(one)

    threading.Thread(target=run, daemon=True).start()
    return server


class NoEtcd(CommandTest):
    """Each command, with nothing or something else behind the address: exit 4, in time."""
    TIMEOUT_MS = 1000

    def assert_unreachable(self, port):
        commands = [["discover", self.service], ["watch", self.service], ["services"],
                    ["register", self.service, "10.0.0.5:8080"],
                    ["unregister", self.service, "10.0.0.5:8080"]]
        begin = time.monotonic()
        started = [self.start("-r", "etcd", "-a", f"http://127.0.0.1:{port}",
                              "--timeout", str(self.TIMEOUT_MS), *command) for command in commands]
        for process in started:
            self.assertEqual(process.wait(), UNREACHABLE, process.arguments)
            self.assertLess(time.monotonic() - begin, (self.TIMEOUT_MS / 1000 + 1) * SLOWNESS)
            process.stop()
            self.assertEqual(process.drain(process.out), [None])
            line, end = process.drain(process.err)
            self.assertRegex(line, r"\Ayurpc: ")
            self.assertEqual(len(re.findall(r"\?(?=;| \(|$)", line)), 1, line)  # one question
            self.assertIsNone(end)

    def test_nothing_listens(self):
        self.assert_unreachable(free_port())

    def test_a_web_server(self):
        with answer_with(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", True) as server:
            self.assert_unreachable(server.getsockname()[1])

    def test_a_server_that_says_nothing(self):
        with answer_with(None, False) as server:
            self.assert_unreachable(server.getsockname()[1])

    def test_a_server_that_hangs_up(self):
        with answer_with(None, True) as server:
            self.assert_unreachable(server.getsockname()[1])

    def test_a_server_that_talks_nonsense(self):
        with answer_with(b"\x00\x00\x00\xff\xff" * 10000, False) as server:
            self.assert_unreachable(server.getsockname()[1])


load_tests = load(WrongInput, NoEtcd)

if __name__ == "__main__":
    main()
