#include "base/bytes.h"
#include "base/mem.h"
#include "base/properties.h"
#include "yr_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Some text, and what it must be read as: `key=value` lines, each with its line number, or the
 * error. Where not said otherwise, as java.util.Properties has it. */
typedef struct reading_case {
    const char *text;
    const char *expected;
} reading_case;

static const reading_case cases[] = {
    {"", ""},
    {"a=b", "1[a][b]"},
    {"a=b\n", "1[a][b]"},
    {"a:b\nc d\n", "1[a][b] 2[c][d]"},
    {"a = b", "1[a][b]"},
    {"a : b", "1[a][b]"},
    {"a  b c ", "1[a][b c ]"},
    {"  \t\f a=b  ", "1[a][b  ]"},
    {"a==b", "1[a][=b]"},
    {"a = = b", "1[a][= b]"},
    {"a:=b", "1[a][=b]"},
    {"a", "1[a][]"},
    {"a=", "1[a][]"},
    {"=b", "1[][b]"},
    {":", "1[][]"},
    {"\n\r\n\ra=b", "4[a][b]"},
    {"# no\n! no\n  # no\na=b # yes", "4[a][b # yes]"},
    {"a=b\rc=d\r\ne=f", "1[a][b] 2[c][d] 3[e][f]"},
    /* Comments are not continued; a comment sign on a continuing line is text. */
    {"# a\\\nb=c", "2[b][c]"},
    {"a=b\\\n#c", "1[a][b#c]"},
    /* Continuation: odd runs of backslashes, each kind of line end, blanks dropped. */
    {"a=b\\\n   c", "1[a][bc]"},
    {"a=b\\\r\n\tc", "1[a][bc]"},
    {"a=b\\\rc", "1[a][bc]"},
    {"a=b\\\\\nc=d", "1[a][b\\] 2[c][d]"},
    {"a=b\\\\\\\nc=d", "1[a][b\\c=d]"},
    {"a=b\\\n\nc=d", "1[a][b] 3[c][d]"},
    {"a=b\\\n  \nc=d", "1[a][b] 3[c][d]"},
    {"a\\\nb=c", "1[ab][c]"},
    {"a\\\n =c", "1[a][c]"},
    {"a=\\\n\\\n\\\nb", "1[a][b]"},
    {"\\\na=b", "2[a][b]"},
    {"\\\n#a\nb=c", "3[b][c]"},
    {"a=b\\", "1[a][b]"},
    {"a=b\\\n", "1[a][b]"},
    {"\\\n  ", ""},
    {"\\\n\n", ""},
    /* Escapes. */
    {"a=\\t\\n\\r\\f", "1[a][\t\n\r\f]"},
    {"a=\\b\\z\\\"\\'\\\\", "1[a][bz\"'\\]"},
    {"a\\=b\\:c\\ d=e", "1[a=b:c d][e]"},
    {"\\#a=b", "1[#a][b]"},
    {"a=\\u0041\\u00e9\\u4e2D", "1[a][A\xc3\xa9\xe4\xb8\xad]"},
    {"a=\\ud83d\\ude00", "1[a][\xf0\x9f\x98\x80]"},
    {"a=\\\\u0041", "1[a][\\u0041]"},
    {"\\u0061\\u003d=b", "1[a=][b]"},
    {"a=\\u12", "x:1: \\u needs four hexadecimal digits"},
    {"a=\\u12g4", "x:1: \\u needs four hexadecimal digits"},
    {"a=1\nb\\uZZZZ=2", "x:2: \\u needs four hexadecimal digits"},
    {"a\\u=1", "x:1: \\u needs four hexadecimal digits"},
    {"a=\\uu0041", "x:1: \\u needs four hexadecimal digits"},
    /* Not as Java: it would keep these, but they are no text here. */
    {"a=\\u0000", "x:1: \\u0000 cannot be part of a text"},
    {"a=\\ud83d", "x:1: \\uD800 to \\uDFFF are characters only in pairs, high before low"},
    {"a=\\ud83dx", "x:1: \\uD800 to \\uDFFF are characters only in pairs, high before low"},
    {"a=\\ude00\\ud83d",
     "x:1: \\uD800 to \\uDFFF are characters only in pairs, high before low"},
    /* Not as Java: a backslash alone at the end is no entry without a name. */
    {"\\", ""},
    {"a=b\n\\\n", "1[a][b]"},
    /* Not as Java: UTF-8 when it is, else ISO-8859-1; no byte order mark in the first key. */
    {"a=\xc3\xa9", "1[a][\xc3\xa9]"},
    {"a=\xe9", "1[a][\xc3\xa9]"},
    {"\xff=\xc3\xa9", "1[\xc3\xbf][\xc3\x83\xc2\xa9]"},
    {"\xef\xbb\xbf"
     "a=b",
     "1[a][b]"},
    /* Duplicates stay, in order: the user of the list takes the last. */
    {"a=1\nb=2\na=3", "1[a][1] 2[b][2] 3[a][3]"},
};

static void describe(const char *text, size_t len, char *out, size_t size)
{
    yr_properties *properties = NULL;
    yurpc_error *error = NULL;
    out[0] = '\0';
    if (yr_properties_parse("x", yr_bytes(text, len), &properties, &error) != YURPC_OK) {
        (void)snprintf(out, size, "%s", yurpc_error_text(error));
        yurpc_error_free(error);
        return;
    }
    size_t at = 0;
    for (size_t i = 0; i < yr_properties_count(properties); i++) {
        yr_property property = yr_properties_at(properties, i);
        at += (size_t)snprintf(out + at, size - at, "%s%u[%s][%s]", i > 0 ? " " : "",
                               property.line, property.key, property.value);
        assert_true(at < size);
    }
    yr_properties_free(properties);
}

static void texts_are_read_as_java_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char actual[400];
        describe(cases[i].text, strlen(cases[i].text), actual, sizeof actual);
        if (strcmp(actual, cases[i].expected) != 0) {
            print_error("case %zu\n", i);
        }
        assert_string_equal(actual, cases[i].expected);
    }
}

static void a_nul_byte_is_an_error_with_its_line(void **state)
{
    (void)state;
    char actual[400];
    describe("a=1\nb=\0\n", 8, actual, sizeof actual);
    assert_string_equal(actual, "x:2: a NUL byte: this is not a text file");
    describe("a=1\n# \0\n", 8, actual, sizeof actual);
    assert_string_equal(actual, "1[a][1]");
}

static void too_long_a_line_names_where_it_began(void **state)
{
    (void)state;
    enum { LEN = YR_PROPERTIES_LINE_MAX + 10 };
    char *text = yr_calloc(1, LEN);
    memset(text, 'x', LEN);
    memcpy(text, "\na=\\\n", 5);
    yr_properties *properties = NULL;
    assert_ok(yr_properties_parse("x", yr_bytes(text, 5 + YR_PROPERTIES_LINE_MAX - 2),
                                  &properties, NULL));
    assert_int_equal(strlen(yr_properties_at(properties, 0).value), YR_PROPERTIES_LINE_MAX - 2);
    yr_properties_free(properties);
    char actual[400];
    describe(text, 5 + YR_PROPERTIES_LINE_MAX - 1, actual, sizeof actual);
    assert_string_equal(actual, "x:2: the line is longer than 65536 bytes");
    yr_free(text);
}

static void a_file_of_nothing_but_keys_is_read(void **state)
{
    (void)state;
    enum { COUNT = YR_PROPERTIES_FILE_MAX / 2 };
    char *text = yr_calloc(COUNT, 2);
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(text + i * 2, "k\n", 2);
    }
    yr_properties *properties = NULL;
    assert_ok(
        yr_properties_parse("x", yr_bytes(text, YR_PROPERTIES_FILE_MAX), &properties, NULL));
    assert_int_equal(yr_properties_count(properties), COUNT);
    assert_int_equal(yr_properties_at(properties, COUNT - 1).line, COUNT);
    yr_properties_free(properties);
    assert_int_equal(
        yr_properties_parse("x", yr_bytes(text, YR_PROPERTIES_FILE_MAX + 1), &properties, NULL),
        YURPC_TOO_LARGE);
    yr_free(text);
}

/* ---- Files ---- */

typedef struct scratch_folder {
    char folder[64];
    char path[80];
} scratch_folder;

static int make_scratch(void **state)
{
    static scratch_folder one;
    (void)snprintf(one.folder, sizeof one.folder, "/tmp/yurpc-properties-XXXXXX");
    if (mkdtemp(one.folder) == NULL) {
        return -1;
    }
    (void)snprintf(one.path, sizeof one.path, "%s/file", one.folder);
    *state = &one;
    return 0;
}

static int remove_scratch(void **state)
{
    const scratch_folder *scratch = *state;
    (void)unlink(scratch->path);
    return rmdir(scratch->folder);
}

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void a_file_is_read_and_errors_name_it(void **state)
{
    const scratch_folder *scratch = *state;
    yr_properties *properties = NULL;
    write_file(scratch->path, "a=b\n", 4);
    assert_ok(yr_properties_load(scratch->path, &properties, NULL));
    assert_string_equal(yr_properties_at(properties, 0).value, "b");
    yr_properties_free(properties);

    char expected[200];
    yurpc_error *error = NULL;
    write_file(scratch->path, "a=b\nc=\\u1\n", 10);
    assert_int_equal(yr_properties_load(scratch->path, &properties, &error), YURPC_INVALID);
    (void)snprintf(expected, sizeof expected, "%s:2: \\u needs four hexadecimal digits",
                   scratch->path);
    assert_string_equal(yurpc_error_text(error), expected);
    yurpc_error_free(error);
}

static void what_is_not_a_regular_file_is_refused_at_once(void **state)
{
    const scratch_folder *scratch = *state;
    yr_properties *properties = NULL;
    yurpc_error *error = NULL;
    assert_int_equal(yr_properties_load(scratch->path, &properties, &error), YURPC_IO);
    assert_non_null(strstr(yurpc_error_text(error), "/file: cannot be read: No such file"));
    yurpc_error_free(error);

    assert_int_equal(yr_properties_load(scratch->folder, &properties, &error), YURPC_IO);
    assert_non_null(strstr(yurpc_error_text(error), ": not a regular file"));
    yurpc_error_free(error);

    assert_int_equal(mkfifo(scratch->path, 0600), 0);
    assert_int_equal(yr_properties_load(scratch->path, &properties, &error), YURPC_IO);
    assert_non_null(strstr(yurpc_error_text(error), ": not a regular file"));
    yurpc_error_free(error);
}

static void too_large_a_file_is_refused(void **state)
{
    const scratch_folder *scratch = *state;
    char *text = yr_calloc(1, YR_PROPERTIES_FILE_MAX + 1);
    memset(text, '\n', YR_PROPERTIES_FILE_MAX + 1);
    write_file(scratch->path, text, YR_PROPERTIES_FILE_MAX + 1);
    yr_properties *properties = NULL;
    assert_int_equal(yr_properties_load(scratch->path, &properties, NULL), YURPC_TOO_LARGE);
    write_file(scratch->path, text, YR_PROPERTIES_FILE_MAX);
    assert_ok(yr_properties_load(scratch->path, &properties, NULL));
    assert_int_equal(yr_properties_count(properties), 0);
    yr_properties_free(properties);
    yr_free(text);
}

static void no_memory_leaves_nothing_behind(void **state)
{
    const scratch_folder *scratch = *state;
    write_file(scratch->path, "a=b\nc=d\n", 8);
    yurpc_status status = YURPC_NO_MEMORY;
    for (long allowed = 0; status != YURPC_OK; allowed++) {
        yr_properties *properties = NULL;
        yurpc_error *error = NULL;
        yr_mem_fail_after(allowed);
        status = yr_properties_load(scratch->path, &properties, &error);
        yr_mem_fail_after(-1);
        assert_int_equal(yurpc_error_status(error), status);
        assert_true(status == YURPC_OK || status == YURPC_NO_MEMORY);
        assert_int_equal(properties != NULL, status == YURPC_OK);
        yurpc_error_free(error);
        yr_properties_free(properties);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_as_java_does),
        cmocka_unit_test(a_nul_byte_is_an_error_with_its_line),
        cmocka_unit_test(too_long_a_line_names_where_it_began),
        cmocka_unit_test(a_file_of_nothing_but_keys_is_read),
        cmocka_unit_test_setup_teardown(a_file_is_read_and_errors_name_it, make_scratch,
                                        remove_scratch),
        cmocka_unit_test_setup_teardown(what_is_not_a_regular_file_is_refused_at_once,
                                        make_scratch, remove_scratch),
        cmocka_unit_test_setup_teardown(too_large_a_file_is_refused, make_scratch,
                                        remove_scratch),
        cmocka_unit_test_setup_teardown(no_memory_leaves_nothing_behind, make_scratch,
                                        remove_scratch),
    };
    return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
