/* Which hosts a list allows, and which lists are none. */
#include "base/mem.h"
#include "registry/consumer/allow_list.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

static bool allows(const char *text, const char *host)
{
    yr_allow_list *list = NULL;
    assert_ok(yr_allow_list_new(text, &list, NULL));
    bool is_allowed = yr_allow_list_has(list, host);
    yr_allow_list_free(list);
    return is_allowed;
}

static const struct {
    const char *list;
    const char *host;
    bool is_allowed;
} cases[] = {
    {"10.0.0.0/8", "10.0.0.0", true},
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.1.2.3/8", "10.200.0.1", true}, /* what the mask drops does not count */
    {"10.0.0.0/9", "10.127.0.1", true},
    {"10.0.0.0/9", "10.128.0.1", false},
    {"10.0.0.5", "10.0.0.5", true},
    {"10.0.0.5", "10.0.0.4", false},
    {"10.0.0.4/31", "10.0.0.5", true},
    {"0.0.0.0/0", "169.254.169.254", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "10.0.0.5", false},
    {"::/0", "::ffff:10.0.0.5", false},
    {"10.0.0.0/8", "::ffff:10.0.0.5", true}, /* it is the same host */
    {"10.0.0.0/8", "::FFFF:a9fe:a9fe", false},
    {"::ffff:10.0.0.0/104", "10.0.0.5", true},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"2001:db8::1", "2001:DB8:0::1", true},
    {"fe80::/10", "fe80::1%eth0", true},
    {"10.0.0.0/8 , 192.168.0.0/16", "192.168.7.7", true},
    {"10.0.0.0/8,192.168.0.0/16", "172.16.0.1", false},
    /* Names are never resolved. */
    {"0.0.0.0/0,::/0", "localhost", false},
    {"127.0.0.0/8", "127.1", false},
    {"127.0.0.0/8", "2130706433", false},
    {"127.0.0.0/8", "0x7f.0.0.1", false},
    {"localhost", "localhost", true},
    {"localhost", "LocalHost", true},
    {"localhost", "localhost.", true},
    {"localhost", "localhost.evil.com", false},
    {"db.acme.com", "xdb.acme.com", false},
    {".acme.com", "db.acme.com", true},
    {".acme.com", "a.b.acme.com.", true},
    {".acme.com", "acme.com", false},
    {".acme.com", ".acme.com", false},
    {".acme.com", "evilacme.com", false},
    {"10.0.0.0/8,.acme.com", "db.acme.com", true},
    {"10.0.0.0/8", "", false},
    {".acme.com", ".", false},
};

static void a_host_is_allowed_by_its_network_or_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (allows(cases[i].list, cases[i].host) != cases[i].is_allowed) {
            fail_msg("\"%s\" of \"%s\" is not %s", cases[i].host, cases[i].list,
                     cases[i].is_allowed ? "allowed" : "refused");
        }
    }
}

static void a_wrong_entry_is_named(void **state)
{
    (void)state;
    static const char *const wrongs[] = {"",
                                         ",",
                                         "10.0.0.0/8,",
                                         "10.0.0.0/33",
                                         "10.0.0.0/",
                                         "10.0.0.0/-1",
                                         "/8",
                                         "10.0.0.0/8x",
                                         "10.0.0",
                                         "10.0.0.256",
                                         "2001:db8::/129",
                                         "::1::",
                                         "a b",
                                         "[::1]",
                                         "http://a.com",
                                         "10.0.0.0/8;a.b",
                                         "10.0.0.1-9",
                                         "a.com/8",
                                         "10.0.0.0/0008"};
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        yr_allow_list *list = NULL;
        yurpc_error *error = NULL;
        if (yr_allow_list_new(wrongs[i], &list, &error) != YURPC_INVALID || list != NULL) {
            fail_msg("\"%s\" is a list", wrongs[i]);
        }
        assert_non_null(strstr(yurpc_error_text(error), "is neither an address"));
        yurpc_error_free(error);
    }
}

static void a_lack_of_memory_leaves_nothing(void **state)
{
    (void)state;
    yurpc_status status = YURPC_NO_MEMORY;
    for (long n = 0; status != YURPC_OK; n++) {
        yr_allow_list *list = NULL;
        yr_mem_fail_after(n);
        status = yr_allow_list_new("10.0.0.0/8,a.com,.b.com", &list, NULL);
        yr_mem_fail_after(-1);
        assert_true(status == YURPC_OK || (status == YURPC_NO_MEMORY && list == NULL));
        yr_allow_list_free(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_allowed_by_its_network_or_its_name),
        cmocka_unit_test(a_wrong_entry_is_named),
        cmocka_unit_test(a_lack_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests_name("allow list", tests, NULL, NULL);
}
