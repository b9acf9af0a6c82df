#pragma once

// Catches the first system call of a stretch of code, to prove that there is none.

namespace syncspawn::testing {

class SystemCallTrap {
public:
    // Whether this kernel and processor can trap (Linux 5.11, x86-64).
    static bool is_available() noexcept;

    SystemCallTrap() noexcept;
    SystemCallTrap(const SystemCallTrap&) = delete;
    SystemCallTrap& operator=(const SystemCallTrap&) = delete;
    ~SystemCallTrap();

    // Ends the stretch. The number of the system call that was caught, and not executed; -1 for none.
    long caught() noexcept;
};

}  // namespace syncspawn::testing
