"""yurpc register."""
import json
import pathlib
import signal
import subprocess
import time

from harness import COMMAND, PATIENCE, SLOWNESS, eventually, load, main, on_each_etcd, on_each_registry

SECOND = 1 * SLOWNESS


class Register:
    def test_sigterm_unregisters_and_exits_0(self):
        provider = self.register("10.0.0.5:8080")
        self.assertEqual(self.addresses(), ["10.0.0.5:8080"])
        provider.send(signal.SIGTERM)
        self.assertEqual(provider.wait(SECOND + 0.5), 0)
        self.assertEqual(self.addresses(), [])

    def test_sigint_unregisters_and_exits_0(self):
        provider = self.register("10.0.0.5:8080")
        provider.send(signal.SIGINT)
        self.assertEqual(provider.wait(), 0)
        self.assertEqual(self.addresses(), [])

    def test_a_name_without_version_means_1_0(self):
        self.register("10.0.0.5:8080", service=self.name)
        self.assertEqual(self.addresses(self.name + ":1.0"), ["10.0.0.5:8080"])

    def test_ipv6_goes_in_and_comes_out_in_brackets(self):
        self.register("[2001:db8::1]:80")
        self.assertEqual(self.addresses(), ["[2001:db8::1]:80"])
        done = self.run_command("discover", self.service, "-o", "json")
        self.assertEqual(json.loads(done.stdout)[0]["serviceHost"], "2001:db8::1")

    def test_group_weight_and_metadata_are_published(self):
        self.register("10.0.0.5:8080", "--group", "blue", "--weight=250", "--meta", "zone=a",
                      "--meta", "note=x=\"y\"")
        found = json.loads(self.run_command("discover", self.service, "-o", "json").stdout)
        self.assertEqual(found, [{
            "serviceName": self.name, "serviceVersion": "1.0", "serviceHost": "10.0.0.5",
            "servicePort": 8080, "serviceGroup": "blue", "weight": 250,
            "metadata": {"zone": "a", "note": "x=\"y\""},
            "service": self.service, "address": "10.0.0.5:8080"}])

    def test_several_providers_live_side_by_side(self):
        self.register("10.0.0.5:8080")
        self.register("10.0.0.5:8081")
        self.register("10.0.0.4:8080")
        self.assertEqual(self.addresses(), ["10.0.0.4:8080", "10.0.0.5:8080", "10.0.0.5:8081"])

    def test_a_restart_after_a_crash_is_not_locked_out(self):
        self.register("10.0.0.5:8080").stop()
        begin = time.monotonic()
        self.register("10.0.0.5:8080")
        self.assertLess(time.monotonic() - begin, 3 * SECOND)

    def test_a_newcomer_takes_the_address_and_the_first_returns_when_it_leaves(self):
        first = self.register("10.0.0.5:8080")
        second = self.register("10.0.0.5:8080", "--weight", "7")
        first.said("CONFLICT")
        self.leave(second)
        first.said("REGISTERED again")
        self.assertEqual(self.addresses(), ["10.0.0.5:8080"])
        self.leave(first)
        self.assertEqual(self.addresses(), [])

    def test_nobody_reading_its_output_does_not_end_it(self):
        provider = subprocess.Popen(self.arguments(["register", self.service, "10.0.0.5:8080"]),
                                    stdout=subprocess.PIPE, env=self.environment())
        self.addCleanup(provider.wait)
        self.addCleanup(provider.kill)
        provider.stdout.close()
        self.assertTrue(eventually(lambda: self.addresses() == ["10.0.0.5:8080"]))
        self.assertIsNone(provider.poll())


class RegisterInEtcd:
    def key(self, address):
        return f"/rpc/{self.service}/{address}"

    def held(self):
        return self.registry.all(f"/rpc/{self.service}/")

    def test_key_and_value_are_exactly_those_of_yu_rpc_under_a_lease_of_30_s(self):
        self.register("10.0.0.5:8080")
        held = self.held()
        self.assertEqual(list(held), [self.key("10.0.0.5:8080")])
        value, lease = held[self.key("10.0.0.5:8080")]
        self.assertEqual(value, f'{{"serviceName":"{self.name}","serviceVersion":"1.0",'
                         '"serviceHost":"10.0.0.5","servicePort":8080,"serviceGroup":"default"}')
        self.assertEqual(self.registry.ttl(lease), 30)

    def test_ttl_is_that_of_the_option(self):
        self.register("10.0.0.5:8080", "--ttl", "7")
        self.assertEqual(self.registry.ttl(self.held()[self.key("10.0.0.5:8080")][1]), 7)

    def test_ipv6_is_stored_raw(self):
        self.register("[::1]:80")
        self.assertEqual(list(self.held()), [self.key("::1:80")])

    def test_the_key_is_gone_within_a_second_of_sigterm(self):
        provider = self.register("10.0.0.5:8080")
        provider.send(signal.SIGTERM)
        self.assertTrue(eventually(lambda: not self.held(), within=SECOND))
        self.assertEqual(provider.wait(), 0)

    def test_leaving_ends_the_lease(self):
        provider = self.register("10.0.0.5:8080")
        lease = self.held()[self.key("10.0.0.5:8080")][1]
        self.leave(provider)
        self.assertEqual(self.registry.ttl_left(lease), -1)

    def test_a_deleted_key_comes_back(self):
        consumer = self.start("watch", self.service)
        provider = self.register("10.0.0.5:8080")
        self.assert_changes(consumer, "up 10.0.0.5:8080")
        self.registry.delete(self.key("10.0.0.5:8080"))
        self.assertTrue(eventually(lambda: len(self.held()) == 1))
        self.assertEqual(self.addresses(), ["10.0.0.5:8080"])
        self.assertIsNone(provider.popen.poll())

    def test_a_revoked_lease_is_replaced_and_the_key_comes_back(self):
        provider = self.register("10.0.0.5:8080")
        before = self.held()[self.key("10.0.0.5:8080")][1]
        self.registry.revoke(before)
        provider.said("LOST")
        provider.said("REGISTERED again")
        after = self.held()[self.key("10.0.0.5:8080")][1]
        self.assertNotEqual(before, after)

    def test_an_overwritten_value_is_put_back(self):
        self.register("10.0.0.5:8080")
        before = self.held()[self.key("10.0.0.5:8080")][0]
        self.registry.put(self.key("10.0.0.5:8080"), "nonsense")
        self.assertTrue(eventually(lambda: self.held()[self.key("10.0.0.5:8080")][0] == before))

    def test_a_loopback_address_in_a_registry_elsewhere_is_warned_of(self):
        elsewhere = "http://192.0.2.1:2379"
        path = pathlib.Path(self.directory) / "elsewhere.properties"
        path.write_text(f"rpc.registryConfig.address={elsewhere}\n")
        register = ["register", self.service, "127.0.0.1:8080", "--timeout", "300"]
        env = self.environment()
        for arguments, extra in ((["-a", elsewhere], {}), ([], {"YURPC_ADDRESS": elsewhere}),
                                 (["-c", str(path)], {})):
            done = subprocess.run([COMMAND, *arguments, *register], capture_output=True, text=True,
                                  env={**env, **extra}, timeout=PATIENCE, check=False)
            self.assertIn("warning: 127.0.0.1:8080 reaches only this machine", done.stderr)
            self.assertEqual(done.returncode, 4)


load_tests = load(on_each_registry(Register), on_each_etcd(RegisterInEtcd))

if __name__ == "__main__":
    main()
