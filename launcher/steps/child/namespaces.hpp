#pragma once

#include <span>
#include <system_error>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::steps {

struct NamespaceToJoin {
    int fd;
    int flag;
    const char* call;  // what an error says
};

std::error_code enter_namespaces(ChildSide& side, std::span<const NamespaceToJoin> all) noexcept;

}  // namespace syncspawn::steps
