#ifndef CLI_VERSION_H
#define CLI_VERSION_H

/* Comes from the makefile; the default is for tools that read the sources. */
#ifndef VERSION
#define VERSION "unknown"
#endif
#define VERSION_TEXT VERSION

#endif /* CLI_VERSION_H */
