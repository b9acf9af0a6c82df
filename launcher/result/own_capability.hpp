#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace syncspawn::detail {

// Whether this thread has it in effect, in its own user namespace.
inline bool has_capability(unsigned number) noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
    return syscall(SYS_capget, &header, sets) == 0 &&
           ((sets[number / 32].effective >> (number % 32)) & 1U) != 0;
}

}  // namespace syncspawn::detail
