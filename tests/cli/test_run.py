"""yurpc run."""
import http.server
import os
import pathlib
import signal
import socket
import sys
import tempfile
import threading
import time

from harness import (ENGINES, SLOWNESS, Etcd, eventually, free_port, load, main, on_each_registry,
                     on_local)

SECOND = 1 * SLOWNESS


def python(text):
    return [sys.executable, "-c", text]


SLEEP = ["sleep", "1000"]


class Run:
    def test_it_registers_and_on_sigterm_leaves_before_the_program_is_stopped(self):
        with tempfile.TemporaryDirectory() as directory:
            seen = pathlib.Path(directory) / "seen"
            child = python(f"""
import signal, subprocess, sys, time
def stop(*_):
    found = subprocess.run({self.arguments(["discover", self.service])!r}, capture_output=True)
    open({str(seen)!r}, "w").write(str(found.returncode))
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while True: time.sleep(1000)
""")
            runner = self.start("run", self.service, "10.0.0.5:8080", "--check", "none", "--", *child)
            self.assertEqual(runner.line(), "ready")
            runner.said(f"registered {self.service} 10.0.0.5:8080")
            self.assertEqual(self.addresses(), ["10.0.0.5:8080"])
            runner.send(signal.SIGTERM)
            self.assertEqual(runner.wait(), 7)
            self.assertEqual(seen.read_text(), "3", "it was still registered when it was stopped")

    def test_a_program_that_dies_is_unregistered_at_once(self):
        runner = self.start("run", self.service, "10.0.0.5:8080", "--check", "none", "--",
                            "sh", "-c", "echo $$; exec sleep 1000")
        child = int(runner.line())
        runner.said("registered")
        consumer = self.start("watch", self.service)
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        os.kill(child, signal.SIGKILL)
        self.assert_changes(consumer, "down 10.0.0.5:8080", within=2 * SECOND)
        self.assertEqual(runner.wait(), 128 + signal.SIGKILL)

    def test_it_is_not_registered_before_its_port_is_open(self):
        port = free_port()
        runner = self.start("run", self.service, f"127.0.0.1:{port}", "--", *SLEEP)
        time.sleep(0.7)
        self.assertEqual(self.addresses(), [])
        with socket.create_server(("127.0.0.1", port)):
            runner.said("registered")
        self.assertEqual(self.addresses(), [f"127.0.0.1:{port}"])


class RunLocal:
    def test_the_exit_status_is_that_of_the_program(self):
        for status in (0, 1, 42):
            done = self.run_command("run", self.service, "10.0.0.5:1", "--check", "none", "--",
                                    "sh", "-c", f"exit {status}")
            self.assertEqual(done.returncode, status)

    def test_a_program_killed_by_a_signal_gives_128_plus_its_number(self):
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            done = self.run_command("run", self.service, "10.0.0.5:1", "--check", "none", "--",
                                    "sh", "-c", f"kill -{int(number)} $$")
            self.assertEqual(done.returncode, 128 + number)

    def test_a_program_that_does_not_exist_is_127(self):
        done = self.run_command("run", self.service, "127.0.0.1:1", "--", "/does/not/exist")
        self.assertEqual(done.returncode, 127)
        self.assertIn("cannot start /does/not/exist: No such file", done.stderr)
        self.assertEqual(self.addresses(), [])

    def test_a_program_that_may_not_be_executed_is_126(self):
        done = self.run_command("run", self.service, "127.0.0.1:1", "--", "/etc/passwd")
        self.assertEqual(done.returncode, 126)

    def test_the_program_gets_clean_signals_and_descriptors(self):
        runner = self.start("run", self.service, "10.0.0.5:1", "--check", "none", "--", *python("""
import os
for line in open("/proc/self/status"):
    if line.startswith(("SigBlk", "SigIgn")):
        print(line.strip())
print([fd for fd in range(1024) if os.path.exists(f"/proc/self/fd/{fd}")], flush=True)
"""))
        self.assertEqual(runner.line().split(), ["SigBlk:", "0" * 16])
        ignored = int(runner.line().split()[1], 16)
        ignored &= ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)  # Python ignores these two
        self.assertEqual(ignored & (1 << 31) - 1, 0)  # 32 and 33 are the C library's own
        self.assertEqual(runner.line(), "[0, 1, 2]")

    def test_an_http_check_wants_2xx(self):
        codes = [503, 404, 200]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(codes.pop(0) if len(codes) > 1 else codes[0])
                self.end_headers()

            def log_message(self, *_):
                pass

        asked = []
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        address = f"127.0.0.1:{server.server_port}"
        runner = self.start("run", self.service, address, "--check", "http:/health?x=1", "--", *SLEEP)
        runner.said("registered")
        self.assertEqual(asked, ["/health?x=1"] * 3)
        self.assertEqual(self.addresses(), [address])

    def test_an_http_server_that_never_answers_is_not_registered(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = "127.0.0.1:%d" % server.getsockname()[1]
            runner = self.start("run", self.service, address, "--check", "http:/", "--", *SLEEP)
            time.sleep(0.5)
            self.assertEqual(self.addresses(), [])
            runner.send(signal.SIGTERM)
            self.assertEqual(runner.wait(), 128 + signal.SIGTERM)

    def test_a_program_that_ignores_sigterm_is_killed_at_the_second_signal(self):
        runner = self.start("run", self.service, "10.0.0.5:1", "--check", "none", "--",
                            "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
        runner.line()
        runner.said("registered")
        runner.send(signal.SIGTERM)
        self.assertTrue(eventually(lambda: not self.addresses()))
        time.sleep(0.3)
        self.assertIsNone(runner.popen.poll())
        runner.send(signal.SIGTERM)
        self.assertEqual(runner.wait(), 128 + signal.SIGKILL)

    def test_a_wrong_configuration_starts_nothing(self):
        for arguments in (["-r", "nonsense"], ["-c", "/does/not/exist"]):
            done = self.run_command(*arguments, "run", self.service, "10.0.0.5:1", "--",
                                    "sh", "-c", "echo started")
            self.assertEqual((done.returncode, done.stdout), (2, ""))


class RunAway:
    def test_the_program_runs_while_the_registry_is_away_and_is_registered_when_it_comes(self):
        if not ENGINES["3.4"].exists():
            self.skipTest("no etcd")
        etcd = Etcd("3.4", self.directory)
        self.addCleanup(etcd.stop)
        runner = self.start("run", self.service, "10.0.0.5:8080", "--check", "none", "--",
                            "sh", "-c", "echo started; exec sleep 1000", registry=etcd)
        self.assertEqual(runner.line(), "started")
        runner.said("not registered yet")
        etcd.start()
        runner.said("registered", within=40 * SLOWNESS)
        runner.send(signal.SIGTERM)
        self.assertEqual(runner.wait(), 128 + signal.SIGTERM)
        self.assertEqual(etcd.all("/rpc/"), {})


load_tests = load(on_each_registry(Run), on_local(RunLocal), on_local(RunAway))

if __name__ == "__main__":
    main()
