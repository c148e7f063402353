#include "run.h"

#include "base/assert.h"
#include "base/buf.h"
#include "commands.h"
#include "fake/alloc.h"

#include <string.h>

enum {
    EXPECTED_LEN_MAX = 64 * 1024,
    LINE_LEN_MAX = 4096,
    MARK_LEN = 5, /* of "3.4| " */
};

static const char case_word[] = "case ";

/* A file that is being run. */
typedef struct reading {
    yr_conformance *conformance;
    yr_case_runner *runner;
    const char *path;
    char **lines;
    size_t count;
    size_t index; /* of the line to come */
} reading;

static bool read_file(reading *file)
{
    FILE *input = fopen(file->path, "re");
    if (input == NULL) {
        (void)printf("%s cannot be read\n", file->path);
        return false;
    }
    char line[LINE_LEN_MAX];
    while (fgets(line, sizeof(line), input) != NULL) {
        size_t len = strcspn(line, "\n");
        char *copy = yr_fake_alloc(len + 1);
        memcpy(copy, line, len);
        file->lines = yr_fake_grow(file->lines, file->count, sizeof(char *));
        file->lines[file->count++] = copy;
    }
    (void)fclose(input);
    return true;
}

static void free_lines(reading *file)
{
    for (size_t i = 0; i < file->count; i++) {
        yr_fake_release(file->lines[i]);
    }
    yr_fake_release(file->lines);
}

static const char *text_of(yr_buf *buf)
{
    const char *text = yr_buf_text(buf);
    YR_ASSERT(text != NULL);
    return text;
}

/* Pass the indented lines, and gather what they say for this version. */
static void take_expectation(reading *file, yr_buf *out)
{
    const size_t indent_len = strlen(YR_CASE_INDENT);
    const char *version = file->conformance->version;
    for (; file->index < file->count; file->index++) {
        const char *text = file->lines[file->index];
        if (strncmp(text, YR_CASE_INDENT, indent_len) != 0) {
            return;
        }
        text += indent_len;
        bool is_marked =
            strncmp(text, "3.4| ", MARK_LEN) == 0 || strncmp(text, "3.5| ", MARK_LEN) == 0;
        if (is_marked && strncmp(text, version, strlen(version)) != 0) {
            continue;
        }
        yurpc_status status =
            yr_buf_append_format(out, YR_CASE_INDENT "%s\n", text + (is_marked ? MARK_LEN : 0));
        YR_ASSERT(status == YURPC_OK);
    }
}

/* Run the command that comes; whether what came of it is what the file says. */
static bool run_line(reading *file)
{
    yr_conformance *conformance = file->conformance;
    size_t number = file->index + 1;
    const char *line = file->lines[file->index++];
    yr_buf expected;
    yr_buf_init(&expected, EXPECTED_LEN_MAX);
    take_expectation(file, &expected);
    yr_buf *output = yr_case_runner_do(file->runner, line);

    bool is_same = true;
    if (conformance->print != NULL) {
        (void)fprintf(conformance->print, "%s\n%s", line, text_of(output));
    } else if (strcmp(text_of(&expected), text_of(output)) != 0) {
        is_same = false;
        conformance->failures++;
        (void)printf("%s:%zu: %s\n  expected\n%s  but came\n%s\n", file->path, number, line,
                     text_of(&expected), text_of(output));
    }
    yr_buf_deinit(&expected);
    return is_same;
}

/* Begin a case, if it is one of those to be run. */
static bool enter_case(reading *file, const char *name)
{
    const char *only = file->conformance->only;
    yr_case_runner_end(file->runner);
    if (only != NULL && strcmp(only, name) != 0) {
        return false;
    }
    yr_case_runner_begin(file->runner, name);
    return true;
}

/* Run the lines until the end, or until one of them makes no sense. */
static void run_lines(reading *file)
{
    const char *only = file->conformance->only;
    FILE *print = file->conformance->print;
    bool is_inside = false;
    while (file->index < file->count && yr_case_runner_error(file->runner) == NULL) {
        const char *line = file->lines[file->index];
        bool is_text = line[0] == '#' || line[0] == '\0';
        if (strncmp(line, case_word, strlen(case_word)) == 0) {
            is_inside = enter_case(file, line + strlen(case_word));
        } else if (is_inside && !is_text) {
            /* After a difference the rest of a case means nothing. */
            is_inside = run_line(file);
            continue;
        }
        if (print != NULL && (is_inside || only == NULL)) {
            (void)fprintf(print, "%s\n", line);
        }
        file->index++;
    }
    yr_case_runner_end(file->runner);
}

bool yr_conformance_run(yr_conformance *conformance, const char *path)
{
    reading file = {.conformance = conformance, .path = path};
    if (!read_file(&file)) {
        return false;
    }
    file.runner = yr_case_runner_new(conformance);
    run_lines(&file);
    const char *error = yr_case_runner_error(file.runner);
    bool is_right = error == NULL;
    if (!is_right) {
        (void)printf("%s:%zu: %s\n", path, file.index, error);
    }
    yr_case_runner_free(file.runner);
    free_lines(&file);
    return is_right;
}
