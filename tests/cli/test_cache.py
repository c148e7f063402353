"""What is known of services while etcd is away: the lists on disk."""
import json
import os
import pathlib
import time

from harness import CANARY, PATIENCE, eventually, load, main, on_each_etcd


class Cache:
    def setUp(self):
        super().setUp()
        self.registry.stop()
        self.registry.start()
        self.provider = self.register("10.0.0.5:8080", "--meta", "zone=a")
        self.folder = pathlib.Path(self.directory) / "cache"

    def file(self):
        """The list of this test's service."""
        found = list(self.folder.glob(self.name + "*.list"))
        self.assertEqual(len(found), 1, list(self.folder.iterdir()))
        return found[0]

    def discover_then_lose_etcd(self):
        self.assertEqual(self.addresses(), ["10.0.0.5:8080"])
        self.registry.kill()

    def test_discover_answers_from_disk_at_once_while_etcd_is_down(self):
        self.discover_then_lose_etcd()
        begin = time.monotonic()
        done = self.run_command("discover", self.service)
        took = time.monotonic() - begin
        self.assertEqual((done.returncode, done.stdout),
                         (0, "10.0.0.5:8080\tdefault\t100\tup\tzone=a\n"), done.stderr)
        self.assertRegex(done.stderr, r"^yurpc: cannot connect to 127\.0\.0\.1:\d+: connection "
                                      r"refused; showing the list from disk, \d+ s old\n$")
        self.assertLess(took, 5)  # it does not wait for the timeout of 10 s
        done = self.run_command("discover", self.service, "-o", "json")
        self.assertEqual(done.returncode, 0)
        self.assertEqual([one["address"] for one in json.loads(done.stdout)], ["10.0.0.5:8080"])
        self.registry.start()
        self.assertTrue(eventually(lambda: self.run_command("discover", self.service).stderr == ""))

    def test_a_service_that_nobody_asked_for_before_is_exit_4(self):
        self.discover_then_lose_etcd()
        done = self.run_command("discover", "com.acme.Another", "--timeout", "500")
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        done = self.run_command("discover", self.service, "--timeout", "500", "--cache-dir", "none")
        self.assertEqual((done.returncode, done.stdout), (4, ""))

    def test_watch_begins_from_disk_and_goes_on_when_etcd_is_back(self):
        self.discover_then_lose_etcd()
        consumer = self.start("watch", self.service)
        self.assertEqual(consumer.line(), "up 10.0.0.5:8080 zone=a")
        self.assertEqual(consumer.line(), "stale")
        consumer.said("showing the list from disk")
        self.registry.start()
        self.assertEqual(consumer.line(within=2 * PATIENCE), "fresh")
        self.register("10.0.0.6:8080")
        self.assert_changes(consumer, "up 10.0.0.6:8080")

    def test_a_wiped_etcd_overwrites_what_was_known(self):
        self.discover_then_lose_etcd()
        self.provider.stop()
        self.registry.wipe()
        self.registry.start()
        self.assertEqual(self.run_command("discover", self.service).returncode, 3)
        self.registry.kill()
        done = self.run_command("discover", self.service)
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn("showing the list from disk", done.stderr)

    def test_a_list_kept_without_allowed_hosts_is_none_for_who_has_them(self):
        self.discover_then_lose_etcd()
        allowed = ["--timeout", "500", "--allow-hosts", "192.168.0.0/16"]
        done = self.run_command("discover", self.service, *allowed)
        self.assertEqual((done.returncode, done.stdout), (4, ""), done.stderr)

    def test_a_damaged_list_is_set_aside(self):
        self.discover_then_lose_etcd()
        file = self.file()
        damaged = bytearray(file.read_bytes())
        damaged[-20] ^= 1
        file.write_bytes(damaged)
        done = self.run_command("discover", self.service, "--timeout", "500")
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertIn("its checksum is wrong", done.stderr)  # unasked
        self.assertFalse(file.exists())
        self.assertEqual((self.folder / "set-aside.bad").read_bytes(), damaged)

    def test_the_list_of_a_folder_that_others_may_write_is_not_used(self):
        self.discover_then_lose_etcd()
        os.chmod(self.folder, 0o777)
        try:
            done = self.run_command("discover", self.service, "--timeout", "500", "-v")
        finally:
            os.chmod(self.folder, 0o700)
        self.assertEqual(done.returncode, 4)
        self.assertIn("can be written by others", done.stderr)

    def test_the_file_is_for_nobody_else_and_names_the_user_without_the_password(self):
        done = self.run_command("discover", self.service,
                                env={"YURPC_USERNAME": "canary-user", "YURPC_PASSWORD": CANARY})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.file().stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        for file in self.folder.iterdir():
            self.assertNotIn(CANARY.encode(), file.read_bytes())
        self.assertIn(b" as canary-user", self.file().read_bytes())


load_tests = load(on_each_etcd(Cache))

if __name__ == "__main__":
    main()
