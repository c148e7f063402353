#include "base/log.h"

#include "base/bytes.h"
#include "base/text.h"

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
    (void)yr_text_copy(yr_bytes_of_text(line), line, sizeof line);
    log->fn(log->context, level, component, line);
}
