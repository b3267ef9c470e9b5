#ifndef CLI_MAIN_H
#define CLI_MAIN_H

/* The program: find the command, run it, say what went wrong, exit code. */
int cli_main(int argc, char **argv);

#endif /* CLI_MAIN_H */
