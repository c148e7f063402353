/*
 * What the command prints of what strangers wrote, and the addresses it is given: no text
 * commands the terminal, every JSON string can be read back.
 */
#include "address.h"
#include "base/json.h"
#include "fuzz.h"
#include "json.h"
#include "session.h"
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* In the place of the command's: says nothing. */
void cli_say(const char *format, ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    require(vsnprintf(text, sizeof text, format, values) > 0);
    va_end(values);
}

/* What @p write puts out, to be freed with drop(). */
static yurpc_bytes written(void (*write)(FILE *, const char *), const char *text)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    require(file != NULL);
    write(file, text);
    require(fclose(file) == 0);
    return yr_bytes(out, size);
}

static void drop(yurpc_bytes text)
{
    union {
        const void *in;
        void *out;
    } pointer = {.in = text.data};
    free(pointer.out);
}

static void check_shown(const char *text)
{
    yurpc_bytes shown = written(cli_print_text, text);
    const uint8_t *at = shown.data;
    require(shown.len <= strlen(text));
    for (size_t i = 0; i < shown.len; i++) {
        require(at[i] >= 0x20 && at[i] != 0x7f);
        require(at[i] != 0xc2 || (i + 1 < shown.len && at[i + 1] >= 0xa0));
    }
    yurpc_bytes again = written(cli_print_text, (const char *)at);
    require(yr_bytes_equal(shown, again));
    drop(again);
    drop(shown);
}

static void write_wrapped(FILE *out, const char *text)
{
    (void)fputc('[', out);
    cli_json_string(out, text);
    (void)fputc(']', out);
}

static void check_json(const char *text)
{
    yr_json *root = NULL;
    yurpc_bytes json = written(write_wrapped, text);
    require(yr_json_parse(json, &root, NULL) == YURPC_OK);
    yurpc_bytes read = yr_json_text(yr_json_element(root, 0));
    require(read.data != NULL);
    if (memmem(read.data, read.len, "\xef\xbf\xbd", 3) == NULL) {
        require(yr_bytes_equal(read, yr_bytes_of_text(text)));
    }
    yr_json_free(root);
    drop(json);
}

static void check_address(const char *text)
{
    cli_address address = {.port = 0};
    if (cli_address_parse(text, &address)) {
        require(address.port > 0 && address.host[0] != '\0');
        require(strlen(address.host) <= CLI_HOST_LEN_MAX);
        require(strchr(address.host, '/') == NULL);
        (void)cli_host_is_loopback(address.host);
    } else {
        require(address.port == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    check_shown(text);
    check_json(text);
    check_address(text);
    free(text);
    return 0;
}
