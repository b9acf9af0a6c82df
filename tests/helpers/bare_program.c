// Writes "ran" to its standard output and exits with code 42: write and exit_group are all its system calls.

// The name is what the linker looks for.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
void _start(void);

static long call(long number, long first, long second, long third) {
#if defined(__x86_64__)
    long result = number;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long result __asm__("x0") = first;
    register long second_there __asm__("x1") = second;
    register long third_there __asm__("x2") = third;
    register long number_there __asm__("x8") = number;
    __asm__ volatile("svc #0"
                     : "+r"(result)
                     : "r"(second_there), "r"(third_there), "r"(number_there)
                     : "memory");
    return result;
#else
#error "the system call is not written for this processor yet"
#endif
}

#if defined(__x86_64__)
enum { number_of_write = 1, number_of_exit_group = 231 };
#else
enum { number_of_write = 64, number_of_exit_group = 94 };
#endif

// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): as above
void _start(void) {
    call(number_of_write, 1, (long)"ran", 3);
    for (;;) {
        call(number_of_exit_group, 42, 0, 0);
    }
}
