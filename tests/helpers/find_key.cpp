// Prints the names of those of its arguments that are user keys within reach.
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

int main(int count, char** arguments) {
    for (int index = 1; index < count; ++index) {
        if (syscall(SYS_request_key, "user", arguments[index], nullptr, KEY_SPEC_SESSION_KEYRING) >
            0) {
            std::puts(arguments[index]);
        }
    }
    return 0;
}
