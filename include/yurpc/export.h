/**
 * @file
 * Attributes of the public declarations.
 */
#ifndef YURPC_EXPORT_H
#define YURPC_EXPORT_H

/* YURPC_NOPLT: of functions that are called for every request, where a detour would show. */
#if defined(__has_attribute)
#    if __has_attribute(noplt)
#        define YURPC_NOPLT __attribute__((noplt))
#    endif
#endif
#if !defined(YURPC_NOPLT)
#    define YURPC_NOPLT
#endif

#if defined(__GNUC__)
#    define YURPC_API            __attribute__((visibility("default")))
#    define YURPC_NODISCARD      __attribute__((warn_unused_result))
#    define YURPC_PRINTF(at, va) __attribute__((format(printf, at, va)))
#else
#    define YURPC_API
#    define YURPC_NODISCARD
#    define YURPC_PRINTF(at, va)
#endif

#ifdef __cplusplus
#    define YURPC_BEGIN_DECLS extern "C" {
#    define YURPC_END_DECLS   }
#else
#    define YURPC_BEGIN_DECLS
#    define YURPC_END_DECLS
#endif

#endif /* YURPC_EXPORT_H */
