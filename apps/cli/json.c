#include "json.h"

#include "utf8.h"

enum { WEIGHT_DEFAULT = 100 };

static void put_ascii(FILE *out, unsigned char c)
{
    static const char *const names[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
        ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    if (c < sizeof names / sizeof names[0] && names[c] != NULL) {
        (void)fputs(names[c], out);
    } else if (c < 0x20 || c == 0x7f) {
        (void)fprintf(out, "\\u%04x", c);
    } else {
        (void)fputc(c, out);
    }
}

/* The inside of a string. */
static void put_text(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t len = cli_utf8_len(text);
        if (len == 1) {
            put_ascii(out, (unsigned char)*text);
        } else if (len == 0) {
            (void)fputs("\\ufffd", out);
            len = 1;
        } else {
            (void)fwrite(text, 1, len, out);
        }
        text += len;
    }
}

void cli_json_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    put_text(out, text);
    (void)fputc('"', out);
}

/* @p before, then "name":"value". */
static void put_field(FILE *out, const char *before, const char *name, const char *value)
{
    (void)fprintf(out, "%s\"%s\":", before, name);
    cli_json_string(out, value);
}

static void put_metadata(FILE *out, const yurpc_instance *instance)
{
    size_t count = yurpc_instance_metadata_count(instance);
    if (count == 0) {
        return;
    }
    (void)fputs(",\"metadata\":{", out);
    for (size_t i = 0; i < count; i++) {
        yurpc_metadata entry = yurpc_instance_metadata_at(instance, i);
        (void)fputs(i == 0 ? "" : ",", out);
        cli_json_string(out, entry.key);
        (void)fputc(':', out);
        cli_json_string(out, entry.value);
    }
    (void)fputc('}', out);
}

void cli_json_instance(FILE *out, const yurpc_instance *instance)
{
    put_field(out, "{", "serviceName", yurpc_instance_name(instance));
    put_field(out, ",", "serviceVersion", yurpc_instance_version(instance));
    put_field(out, ",", "serviceHost", yurpc_instance_host(instance));
    (void)fprintf(out, ",\"servicePort\":%u", (unsigned)yurpc_instance_port(instance));
    put_field(out, ",", "serviceGroup", yurpc_instance_group(instance));
    if (yurpc_instance_weight(instance) != WEIGHT_DEFAULT) {
        (void)fprintf(out, ",\"weight\":%u", (unsigned)yurpc_instance_weight(instance));
    }
    put_metadata(out, instance);
    if (yurpc_instance_is_draining(instance)) {
        (void)fputs(",\"draining\":true", out);
    }
    if (yurpc_instance_is_suspect(instance)) {
        (void)fputs(",\"suspect\":true", out);
    }
    (void)fputs(",\"service\":\"", out);
    put_text(out, yurpc_instance_name(instance));
    (void)fputc(':', out);
    put_text(out, yurpc_instance_version(instance));
    (void)fputc('"', out);
    put_field(out, ",", "address", yurpc_instance_address(instance));
    (void)fputc('}', out);
}
