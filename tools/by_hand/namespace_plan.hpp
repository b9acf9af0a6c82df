#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher/birth.hpp>

#include "surroundings.hpp"

namespace syncspawn::tools {

// Which namespaces a launch makes.
struct NamespacePlan {
    Namespaces made = Namespaces::none;

    [[nodiscard]] bool makes(Namespaces one) const noexcept {
        return (made & one) != Namespaces::none;
    }
};

// Whether this process may make namespaces without a user namespace around them.
bool has_sys_admin();

// What was wished for, and what that takes. Throws UsageError for what does not go together.
NamespacePlan plan_namespaces(const Surroundings& surroundings, Manner manner,
                              std::vector<std::string>& left_out);

}  // namespace syncspawn::tools
