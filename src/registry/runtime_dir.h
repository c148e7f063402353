/*
 * Where this user's programs keep what need not survive a reboot: the directories that the
 * environment names. Like config.c, this ignores the environment when the process runs with
 * raised privileges.
 */
#ifndef YR_REGISTRY_RUNTIME_DIR_H
#define YR_REGISTRY_RUNTIME_DIR_H

/* $XDG_RUNTIME_DIR; NULL when it is not set or not an absolute path. Borrowed. */
const char *yr_runtime_dir(void);

/* $TMPDIR, or "/tmp" when that is not set or not an absolute path. Borrowed. */
const char *yr_temporary_dir(void);

#endif /* YR_REGISTRY_RUNTIME_DIR_H */
