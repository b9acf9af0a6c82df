#include <syncspawn/sandbox/enforcement.hpp>

namespace syncspawn::sandbox {

std::string_view name_of(Guarantee guarantee) noexcept {
    switch (guarantee) {
        case Guarantee::files:
            return "files";
        case Guarantee::network:
            return "network";
        case Guarantee::services:
            return "services";
        case Guarantee::processes:
            return "processes";
        case Guarantee::privileges:
            return "privileges";
        case Guarantee::system_calls:
            return "system calls";
        case Guarantee::limits:
            return "limits";
    }
    return "unknown";
}

}  // namespace syncspawn::sandbox
