#include "outer_namespace.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace syncspawn::sandbox {
namespace {

OuterNamespace files_of(OuterKind kind) {
    switch (kind) {
        case OuterKind::uts:
            return {.file = "/proc/self/ns/uts",
                    .complaint = "the child is in no uts namespace of its own: birth.namespaces"};
        case OuterKind::user:
            return {.file = "/proc/self/ns/user",
                    .complaint = "the child is in no user namespace of its own: birth.namespaces"};
        case OuterKind::network:
            break;
    }
    return {.file = "/proc/self/ns/net",
            .complaint = "the child is in no network namespace of its own: birth.namespaces"};
}

}  // namespace

OuterNamespace outer_namespace(OuterKind kind) {
    OuterNamespace outer = files_of(kind);
    // A thread may be elsewhere than the first one of its process.
    std::string path = outer.file;
    path.replace(0, path.find("/ns/"), "/proc/thread-self");
    struct stat own {};
    if (stat(path.c_str(), &own) < 0) {
        throw std::system_error(errno, std::generic_category(), path);
    }
    outer.device = own.st_dev;
    outer.number = own.st_ino;
    return outer;
}

}  // namespace syncspawn::sandbox
