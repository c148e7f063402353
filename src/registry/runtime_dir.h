/*
 * Where this user's programs keep what is not a document: the directories that the
 * environment names. Like config.c, this ignores the environment when the process runs with
 * raised privileges.
 */
#ifndef YR_REGISTRY_RUNTIME_DIR_H
#define YR_REGISTRY_RUNTIME_DIR_H

/* $XDG_RUNTIME_DIR; NULL when it is not set or not an absolute path. Borrowed. */
const char *yr_runtime_dir(void);

/*
 * Where lists of instances are kept for bad days: "yurpc" in $XDG_CACHE_HOME or in
 * $HOME/.cache, else "yurpc-UID/cache" in the temporary directory. To be freed; NULL: no
 * memory. Looks at nothing but the environment.
 */
char *yr_cache_dir_new(void);

/* @p path as seen from the current folder. To be freed; NULL: no memory, or that has no path.
 */
char *yr_absolute_path_new(const char *path);

/* $TMPDIR, or "/tmp" when that is not set or not an absolute path. Borrowed. */
const char *yr_temporary_dir(void);

#endif /* YR_REGISTRY_RUNTIME_DIR_H */
