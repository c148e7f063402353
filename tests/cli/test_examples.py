"""The programs in examples/, and the demo, as a reader of the README runs them."""
import os
import pathlib
import subprocess

from harness import COMMAND, PATIENCE, ROOT, CommandTest, Local, free_port, load, main, on_each_etcd

BIN = pathlib.Path(COMMAND).parent


class Examples(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Local(cls.directory)

    def begin(self, name):
        """A running example with a pipe to its stdin."""
        env = {**self.environment(), "YURPC_REGISTRY": "local", "YURPC_ADDRESS": self.registry.options[3]}
        example = subprocess.Popen([BIN / ("example_" + name)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self.addCleanup(example.stderr.close)
        self.addCleanup(example.stdout.close)
        self.addCleanup(example.wait)
        self.addCleanup(example.kill)
        return example

    def end(self, example):
        example.stdin.close()
        self.assertEqual(example.wait(timeout=PATIENCE), 0, example.stderr.read())

    def test_register_discover_and_poll_loop_work_together(self):
        watcher = self.begin("poll_loop")
        provider = self.begin("register")
        self.assertEqual(watcher.stdout.readline(), "up 10.0.0.5:8080\n")
        consumer = self.begin("discover")
        self.assertEqual(consumer.stdout.read(), "10.0.0.5:8080\n")
        self.end(consumer)
        self.end(provider)
        self.assertEqual(provider.stdout.read(), "registered; press Enter to leave\n")
        line = watcher.stdout.readline()
        if line.startswith("changed"):
            line = watcher.stdout.readline()
        self.assertEqual(line, "down 10.0.0.5:8080\n")
        self.end(watcher)
        consumer = self.begin("discover")
        self.assertEqual(consumer.stdout.read(), "nobody is there\n")
        self.end(consumer)

    def test_an_example_that_cannot_do_its_work_says_so(self):
        for name in ("register", "discover", "poll_loop"):
            done = subprocess.run([BIN / ("example_" + name)], stdin=subprocess.DEVNULL, text=True,
                                  capture_output=True, check=False,
                                  env={**os.environ, "YURPC_REGISTRY": "nonsense"})
            self.assertEqual(done.returncode, 1)
            self.assertIn("nonsense", done.stderr)


class EtcdExample:
    def test_etcd_kv_changes_a_key(self):
        for _ in range(2):
            done = subprocess.run([BIN / "example_etcd_kv", self.registry.url], text=True,
                                  capture_output=True, timeout=PATIENCE, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (0, "/example/greeting is 'hello'\nchanged\n", ""))
        self.assertEqual(self.registry.all("/example/")["/example/greeting"][0], "hello again")

    def test_etcd_kv_says_when_there_is_no_etcd(self):
        done = subprocess.run([BIN / "example_etcd_kv", f"http://127.0.0.1:{free_port()}"], text=True,
                              capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1)


class Demo(CommandTest):
    def test_it_ends_by_itself_shows_each_change_and_leaves_nothing_behind(self):
        env = {**self.environment(), "TMPDIR": self.directory}
        done = subprocess.run([ROOT / "scripts/demo", COMMAND], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=60, env=env, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        changes = [line for line in done.stdout.splitlines() if line.startswith(("up ", "down "))]
        self.assertEqual(changes, ["up 10.0.0.5:8080", "down 10.0.0.5:8080",
                                   "up 10.0.0.6:8080", "down 10.0.0.6:8080"])
        self.assertEqual(os.listdir(self.directory), [])

    def test_it_fails_when_the_consumer_does_not_see_a_change(self):
        broken = pathlib.Path(self.directory) / "yurpc"
        broken.write_text(f"#!/bin/sh\ncase $1 in watch) exec sleep 1000;; esac\nexec {COMMAND} \"$@\"\n")
        broken.chmod(0o755)
        done = subprocess.run([ROOT / "scripts/demo", broken], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=60, check=False,
                              env={**self.environment(), "PATIENCE": "1"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("did not see 'up 10.0.0.5:8080'", done.stderr)


load_tests = load(Examples, on_each_etcd(EtcdExample), Demo)

if __name__ == "__main__":
    main()
