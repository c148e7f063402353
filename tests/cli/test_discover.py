"""yurpc discover, services, and what a terminal gets."""
import json
import os
import pty
import subprocess

from harness import eventually, load, main, on_each_registry, on_local


class Discover:
    def test_nobody_there_is_exit_3_with_one_line(self):
        done = self.run_command("discover", self.service)
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertEqual(done.stderr, f"yurpc: no instance of {self.service} is registered\n")

    def test_nobody_there_is_an_empty_array_in_json(self):
        done = self.run_command("discover", self.service, "-o", "json")
        self.assertEqual((done.returncode, done.stdout), (3, "[]\n"))

    def test_addresses_come_one_a_line_in_order(self):
        self.register("10.0.0.7:8080")
        self.register("10.0.0.5:8080")
        done = self.run_command("-o", "address", "discover", self.service)
        self.assertEqual((done.returncode, done.stdout), (0, "10.0.0.5:8080\n10.0.0.7:8080\n"))

    def test_a_pipe_gets_fields_separated_by_tabs(self):
        self.register("10.0.0.5:8080", "--meta", "zone=a")
        done = self.run_command("discover", self.service)
        self.assertEqual(done.stdout, "10.0.0.5:8080\tdefault\t100\tup\tzone=a\n")

    def test_a_group_is_listed_alone(self):
        self.register("10.0.0.5:8080")
        self.register("10.0.0.6:8080", "--group", "blue")
        done = self.run_command("discover", self.service, "--group", "blue", "-o", "address")
        self.assertEqual((done.returncode, done.stdout), (0, "10.0.0.6:8080\n"))
        done = self.run_command("discover", self.service, "--group", "red")
        self.assertEqual(done.returncode, 3)
        self.assertIn("in group red", done.stderr)

    def test_only_allowed_hosts_are_seen_and_others_mentioned(self):
        for address in ("10.0.0.5:8080", "169.254.169.254:80", "[::1]:80", "db.acme.com:80"):
            self.register(address)
        only = ["discover", self.service, "-o", "address"]
        done = self.run_command(*only, "--allow-hosts", "10.0.0.0/8")
        self.assertEqual((done.returncode, done.stdout), (0, "10.0.0.5:8080\n"))
        self.assertIn("some instances are left out: their hosts are not allowed", done.stderr)
        done = self.run_command(*only, "--allow-hosts", "0.0.0.0/0,::1,.acme.com")
        self.assertNotIn("left out", done.stderr)
        done = self.run_command(*only, env={"YURPC_ALLOWED_HOSTS": "::1, .acme.com"})
        self.assertEqual((done.returncode, done.stdout), (0, "[::1]:80\ndb.acme.com:80\n"))
        done = self.run_command(*only, "--allow-hosts", "192.168.0.0/16")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        done = self.run_command(*only, "--allow-hosts", "10.0.0.0/33")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("'10.0.0.0/33' is neither an address, nor a network", done.stderr)

    def test_a_watch_tells_of_allowed_hosts_only(self):
        consumer = self.start("watch", self.service, "--allow-hosts", "10.0.0.0/8", "-v")
        self.register("10.0.0.5:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        self.register("11.0.0.5:8080")
        consumer.said("11.0.0.5:8080 is left out: its host is not an allowed one")
        self.register("10.0.0.6:8080")
        self.assert_changes(consumer, "up 10.0.0.6:8080")

    def test_services_are_listed_with_their_number_of_instances(self):
        self.register("10.0.0.5:8080")
        self.register("10.0.0.6:8080")
        self.register("10.0.0.5:8080", service=self.name + ":2.0")
        done = self.run_command("services")
        self.assertEqual(done.returncode, 0, done.stderr)
        mine = [line for line in done.stdout.splitlines() if line.startswith(self.name)]
        self.assertEqual(mine, [self.name + ":1.0\t2", self.name + ":2.0\t1"])
        found = json.loads(self.run_command("services", "-o", "json").stdout)
        self.assertIn({"service": self.service, "instances": 2}, found)
        done = self.run_command("services", "-o", "address")
        self.assertIn(self.service, done.stdout.splitlines())


class OnATerminal:
    def screen(self, *arguments, **env):
        """What the command writes to a terminal."""
        ours, theirs = pty.openpty()
        child = subprocess.Popen(self.arguments(arguments), stdout=theirs,
                                 env={**self.environment(), "TERM": "xterm", **env})
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 65536):
                text += part
        except OSError:  # the other side is closed
            pass
        os.close(ours)
        self.assertEqual(child.wait(), 0)
        return text.decode().replace("\r\n", "\n")

    def test_a_terminal_gets_a_table_with_a_header_in_colour(self):
        self.register("10.0.0.5:8080", "--group", "blue")
        self.assertEqual(self.screen("discover", self.service),
                         "\033[1mADDRESS        GROUP  WEIGHT  STATE  METADATA\033[0m\n"
                         "10.0.0.5:8080  blue   100     up     \n")

    def test_no_color_is_respected(self):
        self.register("10.0.0.5:8080")
        self.assertNotIn("\033", self.screen("discover", self.service, NO_COLOR="1"))
        self.assertNotIn("\033", self.screen("discover", self.service, TERM="dumb"))


class Unregister:
    def test_what_is_not_there_is_exit_3(self):
        done = self.run_command("unregister", self.service, "10.0.0.5:8080")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("is not registered", done.stderr)

    def test_a_living_provider_is_warned_of_and_returns(self):
        provider = self.register("10.0.0.5:8080")
        done = self.run_command("unregister", self.service, "10.0.0.5:8080")
        self.assertEqual((done.returncode, done.stdout),
                         (0, f"unregistered {self.service} 10.0.0.5:8080\n"))
        self.assertIn("will register again", done.stderr)
        provider.said("REGISTERED again")
        self.assertTrue(eventually(lambda: self.addresses() == ["10.0.0.5:8080"]))

    def test_ipv6_is_found_too(self):
        self.register("[::1]:80")
        done = self.run_command("unregister", self.service, "[::1]:80")
        self.assertEqual(done.returncode, 0, done.stderr)


load_tests = load(on_each_registry(Discover), on_local(OnATerminal), on_each_registry(Unregister))

if __name__ == "__main__":
    main()
