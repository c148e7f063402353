/* Prints what yurpc reads from properties files: a line for each, as PropertiesDump.java does.
 */
#include "base/properties.h"

#include <stdio.h>

static void print_hex(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        (void)printf("%02x", (unsigned)(unsigned char)*at);
    }
}

static void print_file(const char *path)
{
    yr_properties *properties = NULL;
    if (yr_properties_load(path, &properties, NULL) != YURPC_OK) {
        (void)puts("error");
        return;
    }
    for (size_t i = 0; i < yr_properties_count(properties); i++) {
        yr_property property = yr_properties_at(properties, i);
        print_hex(property.key);
        (void)putchar('=');
        print_hex(property.value);
        (void)putchar(';');
    }
    (void)putchar('\n');
    yr_properties_free(properties);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        print_file(argv[i]);
    }
    return 0;
}
