#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum { LINE_MAX_LEN = 1000 };

void yr_log_write(const yr_log *log, yurpc_log_level level, const char *component,
                  const char *format, ...)
{
    if (log->fn == NULL || level > log->level) {
        return;
    }
    char line[LINE_MAX_LEN];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len < 0) {
        return;
    }
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    log->fn(log->context, level, component, line);
}
