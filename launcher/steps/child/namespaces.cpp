#include "namespaces.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace syncspawn::steps {

std::error_code enter_namespaces(ChildSide& side, std::span<const NamespaceToJoin> all) noexcept {
    for (const NamespaceToJoin& one : all) {
        if (syscall(SYS_setns, one.fd, one.flag) < 0) {
            return side.fail(one.call);
        }
    }
    return side.done();
}

}  // namespace syncspawn::steps
