"""yurpc watch."""
import json
import pathlib
import signal
import subprocess

from harness import SLOWNESS, free_port, load, main, on_each_etcd, on_each_registry, on_local

SECOND = 1 * SLOWNESS


class Watch:
    def test_what_is_there_comes_first_as_up(self):
        self.register("10.0.0.6:8080")
        self.register("10.0.0.5:8080")
        consumer = self.start("watch", self.service)
        self.assert_changes(consumer, "up 10.0.0.5:8080", "up 10.0.0.6:8080")

    def test_a_consumer_started_before_any_provider_sees_the_first_at_once(self):
        consumer = self.start("watch", self.service)
        self.assertEqual(self.addresses(), [])
        self.register("10.0.0.5:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080", within=SECOND)

    def test_a_provider_that_leaves_goes_down_at_once(self):
        consumer = self.start("watch", self.service)
        provider = self.register("10.0.0.5:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        self.leave(provider)
        self.assert_changes(consumer, "down 10.0.0.5:8080", within=SECOND)

    def test_services_and_versions_do_not_mix(self):
        one = self.start("watch", self.name + ":1.0")
        other = self.start("watch", self.name + ":1.0.1")
        self.register("10.0.0.1:1", service=self.name + ":1.0")
        self.register("10.0.0.2:2", service=self.name + ":1.0.1")
        self.register("10.0.0.3:3", service=self.name + "X:1.0")
        self.register("10.0.0.4:4", service=self.name + ":1.0")
        self.register("10.0.0.5:5", service=self.name + ":1.0.1")
        self.assert_changes(one, "up 10.0.0.1:1", "up 10.0.0.4:4")
        self.assert_changes(other, "up 10.0.0.2:2", "up 10.0.0.5:5")

    def test_json_is_one_object_a_line(self):
        consumer = self.start("watch", self.service, "-o", "json")
        self.register("10.0.0.5:8080")
        self.assertEqual(json.loads(consumer.line()), {"event": "up", "instance": {
            "serviceName": self.name, "serviceVersion": "1.0", "serviceHost": "10.0.0.5",
            "servicePort": 8080, "serviceGroup": "default", "service": self.service,
            "address": "10.0.0.5:8080"}})

    def test_a_group_is_shown_alone(self):
        consumer = self.start("watch", self.service, "--group", "blue")
        self.register("10.0.0.5:8080", "--group", "green")
        blue = self.register("10.0.0.6:8080", "--group", "blue")
        self.assertEqual(consumer.line(), "up 10.0.0.6:8080 group=blue")
        self.leave(blue)
        self.assert_changes(consumer, "down 10.0.0.6:8080")

    def test_an_instance_that_changes_its_weight_is_reported_as_changed(self):
        consumer = self.start("watch", self.service)
        first = self.register("10.0.0.5:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        self.register("10.0.0.5:8080", "--weight", "7")
        first.said("CONFLICT")
        self.assert_changes(consumer, "changed 10.0.0.5:8080 weight=7")

    def test_an_interrupt_ends_it_with_0(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            consumer = self.start("watch", self.service)
            self.register("10.0.0.5:8080")
            consumer.line()
            consumer.send(number)
            self.assertEqual(consumer.wait(), 0)

    def test_it_ends_when_nobody_reads_it_any_more(self):
        self.register("10.0.0.5:8080")
        consumer = subprocess.Popen(self.arguments(["watch", self.service]), text=True,
                                    stdout=subprocess.PIPE, env=self.environment())
        self.addCleanup(consumer.wait)
        self.addCleanup(consumer.kill)
        self.assertEqual(consumer.stdout.readline(), "up 10.0.0.5:8080\n")
        consumer.stdout.close()
        self.assertEqual(consumer.wait(timeout=10 * SECOND), 0)


class WatchLocal:
    def test_a_crash_is_noticed_within_a_second(self):
        consumer = self.start("watch", self.service)
        provider = self.register("10.0.0.5:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        provider.send(signal.SIGKILL)
        self.assert_changes(consumer, "down 10.0.0.5:8080", within=SECOND)


class WatchEtcd:
    def value(self, host, port):
        """As a Java node writes it."""
        return (f'{{"serviceName":"{self.name}","serviceVersion":"1.0","serviceHost":"{host}",'
                f'"servicePort":{port},"serviceGroup":"default"}}')

    def put_java(self, host, port):
        self.registry.put(f"/rpc/{self.service}/{host}:{port}", self.value(host, port),
                          self.registry.grant(30))

    def test_the_beat_of_a_java_node_is_no_change(self):
        consumer = self.start("watch", self.service)
        for _ in range(5):
            self.put_java("10.0.0.5", 8080)
        self.put_java("10.0.0.6", 8080)
        self.assert_changes(consumer, "up 10.0.0.5:8080", "up 10.0.0.6:8080")
        for _ in range(5):
            self.put_java("10.0.0.5", 8080)
        self.registry.delete(f"/rpc/{self.service}/10.0.0.6:8080")
        self.assert_changes(consumer, "down 10.0.0.6:8080")

    def put_three(self):
        """Three instances under one lease, where nobody listens: the addresses and the lease."""
        lease = self.registry.grant(30)
        addresses = sorted(f"127.0.0.1:{free_port()}" for _ in range(3))
        for address in addresses:
            host, port = address.split(":")
            self.registry.put(f"/rpc/{self.service}/{address}", self.value(host, port), lease)
        return addresses, lease

    def test_most_instances_that_vanish_at_once_are_suspect_until_their_hosts_refuse(self):
        addresses, lease = self.put_three()
        consumer = self.start("watch", self.service)
        self.assert_changes(consumer, *("up " + address for address in addresses))
        self.registry.revoke(lease)
        self.assert_changes(consumer, *(f"changed {address} suspect" for address in addresses))
        self.assertEqual({consumer.line() for _ in addresses},
                         {"down " + address for address in addresses})

    def test_a_suspect_says_so_in_json(self):
        _, lease = self.put_three()
        consumer = self.start("watch", self.service, "-o", "json")
        for mark in (False, True):
            for _ in range(3):
                event = json.loads(consumer.line())
                self.assertEqual(event["event"], "changed" if mark else "up")
                self.assertEqual(event["instance"].get("suspect", False), mark)
            if not mark:
                self.registry.revoke(lease)

    def test_without_protection_they_are_down_at_once(self):
        addresses, lease = self.put_three()
        file = pathlib.Path(self.directory, "unprotected.properties")
        file.write_text("rpc.registryConfig.protection=false\n")
        consumer = self.start("watch", self.service, "-c", str(file))
        self.assert_changes(consumer, *("up " + address for address in addresses))
        self.registry.revoke(lease)
        self.assert_changes(consumer, *("down " + address for address in addresses))

    def test_a_broken_value_hides_none_of_the_good_ones(self):
        poison = ["", "[]", "null", "{", "\x00\x01", '{"servicePort":"abc"}',
                  '{"serviceHost":"x","servicePort":99999999999}', "[" * 5000, '"' + "x" * 70000]
        self.put_java("10.0.0.5", 1)
        for number, value in enumerate(poison):
            self.registry.put(f"/rpc/{self.service}/10.0.0.5:{100 + number}", value)
        self.put_java("10.0.0.5", 9)
        self.assertEqual(self.addresses(), ["10.0.0.5:1", "10.0.0.5:9"])
        consumer = self.start("watch", self.service)
        self.assert_changes(consumer, "up 10.0.0.5:1", "up 10.0.0.5:9")
        self.registry.put(f"/rpc/{self.service}/10.0.0.5:8", "poison")
        self.put_java("10.0.0.5", 8081)
        self.assert_changes(consumer, "up 10.0.0.5:8081")


load_tests = load(on_each_registry(Watch), on_local(WatchLocal), on_each_etcd(WatchEtcd))

if __name__ == "__main__":
    main()
