// sparky: all faces and the daemon in one program.
#include "cli/cli.h"

int main(int argc, char** argv) { return sparky::cli::run(argc, argv); }
