// Makes one system call, NUMBER ARGUMENT..., and prints its errno, or 0. By "int80" it is one of i386, by "x32"
// one of x32.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int count, char** words) {
    long result = -ENOSYS;
    if (count == 2 && std::strcmp(words[1], "int80") == 0) {
#ifdef __x86_64__
        constexpr long getpid_of_i386 = 20;
        asm volatile("int $0x80"
                     : "=a"(result)
                     : "a"(getpid_of_i386)
                     : "memory", "r8", "r9", "r10", "r11");
#endif
    } else if (count == 2 && std::strcmp(words[1], "x32") == 0) {
        result = syscall(0x40000000 + SYS_getpid) < 0 ? -errno : 0;
    } else {
        long arguments[7] = {};
        for (int word = 1; word < count && word <= 7; ++word) {
            arguments[word - 1] = static_cast<long>(std::strtoull(words[word], nullptr, 0));
        }
        result = syscall(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                         arguments[5], arguments[6]);
        result = result < 0 ? -errno : 0;
    }
    std::printf("%ld\n", result < 0 ? -result : 0L);
    std::fflush(stdout);
    _exit(0);  // no search for leaks, which a filter may forbid
}
