/* Rust opens /dev/null in place of a closed stdout before main starts, so that records would be lost without
   an error. This runs earlier, and leaves a variable for src/output/target.rs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

__attribute__((constructor)) static void note_closed_stdout(void) {
    if (fcntl(1, F_GETFD) == -1 && errno == EBADF) {
        setenv("_FETCH_ALL_CLOSED_STDOUT", "1", 1);
    } else {
        unsetenv("_FETCH_ALL_CLOSED_STDOUT");
    }
}
