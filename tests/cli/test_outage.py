"""What takes longer: leases that expire, and a registry that goes away and comes back."""
import signal
import sys
import time

from harness import PATIENCE, SLOWNESS, eventually, load, main, on_each_etcd


class Outage:
    def key(self, address):
        return f"/rpc/{self.service}/{address}"

    def held(self):
        return self.registry.all(f"/rpc/{self.service}/")

    def test_the_revision_does_not_move_while_a_provider_lives(self):
        self.register("10.0.0.5:8080", "--ttl", "6")
        before = self.registry.revision(), self.held()
        time.sleep(25)
        self.assertEqual((self.registry.revision(), self.held()), before)

    def test_a_killed_provider_is_gone_within_its_ttl_and_a_second(self):
        consumer = self.start("watch", self.service)
        provider = self.register("10.0.0.5:8080", "--ttl", "5")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        begin = time.monotonic()
        provider.send(signal.SIGKILL)
        self.assert_changes(consumer, "down 10.0.0.5:8080", within=6 * SLOWNESS)
        self.assertLess(time.monotonic() - begin, 6 * SLOWNESS)

    def test_an_etcd_that_comes_back_empty_is_filled_again(self):
        consumer = self.start("watch", self.service)
        provider = self.register("10.0.0.5:8080")
        self.register("10.0.0.6:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080", "up 10.0.0.6:8080")
        self.registry.kill()
        self.assertEqual(consumer.line(), "stale")
        self.registry.wipe()
        self.registry.start()
        provider.said("REGISTERED again", within=2 * PATIENCE)
        self.assertTrue(eventually(lambda: len(self.held()) == 2))
        shown = {"10.0.0.5:8080", "10.0.0.6:8080"}
        seen = []

        def is_right():
            while not consumer.out.empty():
                line = consumer.out.get()
                seen.append(line)
                if line.startswith("up "):
                    shown.add(line.split()[1])
                elif line.startswith("down "):
                    shown.discard(line.split()[1])
            return "fresh" in seen and shown == {"10.0.0.5:8080", "10.0.0.6:8080"}

        self.assertTrue(eventually(is_right), (seen, shown))
        self.register("10.0.0.7:8080")
        self.assertTrue(eventually(lambda: is_right() or "10.0.0.7:8080" in shown), seen)

    def test_a_restart_of_etcd_loses_nothing(self):
        consumer = self.start("watch", self.service)
        self.register("10.0.0.5:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        self.registry.kill()
        self.assertEqual(consumer.line(), "stale")
        self.registry.start()
        self.assertEqual(consumer.line(within=2 * PATIENCE), "fresh")
        self.register("10.0.0.6:8080")
        self.assert_changes(consumer, "up 10.0.0.6:8080")
        self.assertEqual(len(self.held()), 2)

    def test_who_is_told_to_end_while_etcd_is_frozen_ends_within_three_seconds(self):
        run = ["run", self.service, "10.0.0.6:8080", "--check", "none", "--", "sleep", "1000"]
        for address, arguments, wanted in (
                ("10.0.0.5:8080", ["register", self.service, "10.0.0.5:8080"], 4),
                ("10.0.0.6:8080", run, 128 + signal.SIGTERM)):
            provider = self.start(*arguments)
            self.assertTrue(eventually(lambda key=self.key(address): key in self.held()))
            self.registry.freeze()
            try:
                begin = time.monotonic()
                provider.send(signal.SIGTERM)
                code = provider.wait()
                took = time.monotonic() - begin
            finally:
                self.registry.thaw()
            print(f"MEASURED {arguments[0]} told to end while etcd is frozen: {took:.2f} s",
                  file=sys.stderr)
            self.assertEqual(code, wanted)
            provider.said("did not confirm")
            self.assertLess(took, 4 * SLOWNESS)


load_tests = load(on_each_etcd(Outage))

if __name__ == "__main__":
    main()
