#include "base/misspelling.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { WORD_LEN_MAX = 64, EDITS_MAX = 3 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance; neither is longer than WORD_LEN_MAX. */
static size_t distance(const char *word, size_t len, const char *known, size_t known_len)
{
    size_t row[WORD_LEN_MAX + 1];
    for (size_t k = 0; k <= known_len; k++) {
        row[k] = k;
    }
    for (size_t i = 1; i <= len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= known_len; k++) {
            size_t above = row[k];
            bool is_same = strncasecmp(word + i - 1, known + k - 1, 1) == 0;
            row[k] = min3(above + 1, row[k - 1] + 1, diagonal + (is_same ? 0 : 1));
            diagonal = above;
        }
    }
    return row[known_len];
}

size_t yr_misspelling(yurpc_bytes word, const char *known)
{
    size_t known_len = strlen(known);
    if (word.len > WORD_LEN_MAX || known_len > WORD_LEN_MAX) {
        return SIZE_MAX;
    }
    size_t edits = distance(word.data, word.len, known, known_len);
    /* Of a short word more than half would be another one. */
    return edits <= EDITS_MAX && edits <= word.len / 2 ? edits : SIZE_MAX;
}
