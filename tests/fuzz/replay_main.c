/* Runs a fuzz target over saved inputs, so that every build replays the corpus. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_LEN_MAX = 1 << 20 };

static int replay_file(const char *path)
{
    static uint8_t buffer[INPUT_LEN_MAX];
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    size_t len = fread(buffer, 1, sizeof buffer, file);
    (void)fclose(file);
    uint8_t *data =
        malloc(len > 0 ? len : 1); /* as long as the input: reading past it is seen */
    if (data == NULL) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        data[i] = buffer[i];
    }
    (void)LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fputs("no inputs\n", stderr);
        return EXIT_FAILURE;
    }
    for (int i = 1; i < argc; i++) {
        if (replay_file(argv[i]) < 0) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
