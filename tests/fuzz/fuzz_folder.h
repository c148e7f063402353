/* A private folder for one file and what is made beside it; gone when the program ends. */
#ifndef YR_FUZZ_FOLDER_H
#define YR_FUZZ_FOLDER_H

/* The file's path. The folder is made the first time, in memory where that can be. */
const char *fuzz_folder_file(void);

/* Remove everything in the folder. */
void fuzz_folder_clear(void);

#endif /* YR_FUZZ_FOLDER_H */
