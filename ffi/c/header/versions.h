/** The version of this header, as the library is versioned. */
#define TOKENWARD_VERSION "@VERSION@"
/** The first number of the version. */
#define TOKENWARD_VERSION_MAJOR @MAJOR@
/** The second number of the version. */
#define TOKENWARD_VERSION_MINOR @MINOR@
/** The third number of the version. */
#define TOKENWARD_VERSION_PATCH @PATCH@

/** Stands before a function whose result must be looked at: a compiler that can warns where it is not. */
#ifndef TOKENWARD_MUST_CHECK
#if defined(__cplusplus) && __cplusplus >= 201703L
#define TOKENWARD_MUST_CHECK [[nodiscard]]
#elif defined(__GNUC__)
#define TOKENWARD_MUST_CHECK __attribute__((warn_unused_result))
#elif defined(_MSC_VER)
#include <sal.h>
#define TOKENWARD_MUST_CHECK _Check_return_
#else
#define TOKENWARD_MUST_CHECK
#endif
#endif
