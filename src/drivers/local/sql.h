/* The SQL of the driver, but for the schema (store.c). */
#ifndef YR_LOCAL_SQL_H
#define YR_LOCAL_SQL_H

/* Every statement of the driver: XX(name, sql). */
#define YR_LOCAL_SQL_MAP(XX)                                                                 \
    XX(BEGIN_READ, "BEGIN")                                                                  \
    XX(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                       \
    XX(COMMIT, "COMMIT")                                                                     \
    XX(ROLLBACK, "ROLLBACK")                                                                 \
    XX(STATE_GET, "SELECT revision, horizon, seal FROM state WHERE id = 1")                  \
    XX(STATE_PUT, "REPLACE INTO state (id, revision, horizon, seal) VALUES (1, ?1, ?2, ?3)") \
    XX(STATE_GUESS, "SELECT max((SELECT ifnull(max(revision), 0) FROM records),"             \
                    " (SELECT ifnull(max(revision), 0) FROM tombstones))")                   \
    XX(RECORD_GET, "SELECT key, value, owner, revision, seal FROM records WHERE key = ?1")   \
    XX(RECORD_PUT, "REPLACE INTO records (key, value, owner, revision, seal)"                \
                   " VALUES (?1, ?2, ?3, ?4, ?5)")                                           \
    XX(RECORD_DELETE, "DELETE FROM records WHERE key = ?1")                                  \
    XX(RECORDS_ALL, "SELECT key, value, owner, revision, seal FROM records ORDER BY key")    \
    XX(RECORDS_SPAN, "SELECT key, value, owner, revision, seal FROM records"                 \
                     " WHERE key >= ?1 AND key <= ?2 ORDER BY key")                          \
    XX(RECORDS_SINCE, "SELECT key, value, owner, revision, seal FROM records"                \
                      " WHERE revision > ?1 ORDER BY revision")                              \
    XX(RECORDS_OWNED, "SELECT key FROM records WHERE owner = ?1 ORDER BY key")               \
    XX(RECORDS_DISOWN, "DELETE FROM records WHERE owner = ?1")                               \
    XX(OWNER_GONE_NEXT, "SELECT owner FROM records WHERE owner > ?1 AND owner <> 0"          \
                        " AND typeof(owner) = 'integer'"                                     \
                        " AND owner NOT IN (SELECT id FROM sessions)"                        \
                        " ORDER BY owner LIMIT 1")                                           \
    XX(TOMBSTONE_PUT, "REPLACE INTO tombstones (revision, key, seal) VALUES (?1, ?2, ?3)")   \
    XX(TOMBSTONES_SINCE, "SELECT key, revision, seal FROM tombstones"                        \
                         " WHERE revision > ?1 ORDER BY revision")                           \
    XX(TOMBSTONE_NTH, "SELECT revision FROM tombstones ORDER BY revision DESC"               \
                      " LIMIT 1 OFFSET ?1")                                                  \
    XX(TOMBSTONES_PRUNE, "DELETE FROM tombstones WHERE revision <= ?1")                      \
    XX(SESSIONS, "SELECT id, process, deadline_ms, ttl_ms, boot, seal FROM sessions"         \
                 " ORDER BY id")                                                             \
    XX(SESSION_GET, "SELECT id, process, deadline_ms, ttl_ms, boot, seal FROM sessions"      \
                    " WHERE id = ?1")                                                        \
    XX(SESSION_PUT, "REPLACE INTO sessions (id, process, deadline_ms, ttl_ms, boot, seal)"   \
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                      \
    XX(SESSION_DELETE, "DELETE FROM sessions WHERE id = ?1")

typedef enum yr_local_sql {
#define XX(name, sql) YR_LOCAL_SQL_##name,
    YR_LOCAL_SQL_MAP(XX)
#undef XX
        YR_LOCAL_SQL_COUNT
} yr_local_sql;

#endif /* YR_LOCAL_SQL_H */
