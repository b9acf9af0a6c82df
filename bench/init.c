/* The smallest first process of a pid namespace: it waits for the program, and ends as that does. */

#if defined(__x86_64__)
__asm__(
    ".globl _start\n"
    "_start:\n\t"
    "sub $16, %rsp\n\t"
    "mov $61, %eax\n\t" /* wait4(-1, status, 0, 0) */
    "mov $-1, %rdi\n\t"
    "mov %rsp, %rsi\n\t"
    "xor %edx, %edx\n\t"
    "xor %r10d, %r10d\n\t"
    "syscall\n\t"
    "mov $60, %eax\n\t" /* exit */
    "movzbl 1(%rsp), %edi\n\t"
    "syscall\n");
#elif defined(__aarch64__)
__asm__(
    ".globl _start\n"
    "_start:\n\t"
    "sub sp, sp, #16\n\t"
    "mov x8, #260\n\t" /* wait4(-1, status, 0, 0) */
    "mov x0, #-1\n\t"
    "mov x1, sp\n\t"
    "mov x2, #0\n\t"
    "mov x3, #0\n\t"
    "svc #0\n\t"
    "mov x8, #93\n\t" /* exit */
    "ldrb w0, [sp, #1]\n\t"
    "svc #0\n");
#else
#error "bench/init.c: no entry point is written for this processor yet"
#endif
