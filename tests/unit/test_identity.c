/* Which registry a configuration means: what is kept on disk is kept under that. */
#include "base/buf.h"
#include "drivers/etcd/etcd_driver.h"
#include "yr_test.h"

#include <string.h>

enum { IDENTITY_LEN_MAX = 1024 };

static void assert_identity(const yr_driver_config *config, const char *wanted)
{
    yr_buf identity;
    yr_buf_init(&identity, IDENTITY_LEN_MAX);
    assert_ok(yr_driver_etcd.identify(config, &identity));
    assert_string_equal(yr_buf_text(&identity), wanted);
    yr_buf_deinit(&identity);
}

static void it_is_the_same_however_the_address_is_written(void **state)
{
    (void)state;
    static const char *const ways[] = {"a:1,b", "b:2379,a:1", "http://b, http://a:1",
                                       "http://a:1,b:2379"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        const yr_driver_config config = {.address = ways[i]};
        assert_identity(&config, "http://a:1,http://b:2379");
    }
}

static void another_scheme_is_another_registry(void **state)
{
    (void)state;
    const yr_driver_config https = {.address = "https://a,b"};
    assert_identity(&https, "https://a:2379,http://b:2379");
    const yr_driver_config meant = {.address = "a", .tls = {.ca_file = "/ca.pem"}};
    assert_identity(&meant, "https://a:2379");
    const yr_driver_config unverified = {.address = "a", .tls = {.is_insecure = true}};
    assert_identity(&unverified, "unverified https://a:2379");
}

static void another_user_may_see_other_keys(void **state)
{
    (void)state;
    const yr_driver_config alice = {.address = "a", .username = "alice", .password = "S3cr3t"};
    assert_identity(&alice, "http://a:2379 as alice");
}

static void a_member_of_another_scheme_keeps_its_place(void **state)
{
    (void)state;
    const yr_driver_config one = {.address = "http://a:1,https://a:1"};
    const yr_driver_config other = {.address = "https://a:1,http://a:1"};
    assert_identity(&one, "http://a:1,https://a:1");
    assert_identity(&other, "http://a:1,https://a:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_same_however_the_address_is_written),
        cmocka_unit_test(another_scheme_is_another_registry),
        cmocka_unit_test(another_user_may_see_other_keys),
        cmocka_unit_test(a_member_of_another_scheme_keeps_its_place),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
