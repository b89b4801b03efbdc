/** The version of this header, as the library is versioned. */
#define TOKENWARD_VERSION "@VERSION@"
/** The first number of the version. */
#define TOKENWARD_VERSION_MAJOR @MAJOR@
/** The second number of the version. */
#define TOKENWARD_VERSION_MINOR @MINOR@
/** The third number of the version. */
#define TOKENWARD_VERSION_PATCH @PATCH@
