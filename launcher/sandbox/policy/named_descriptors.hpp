#pragma once

#include <vector>

#include <syncspawn/launcher/descriptors.hpp>
#include <syncspawn/sandbox/bindings.hpp>
#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

#include "file_view.hpp"

namespace syncspawn::sandbox {

// What the program gets beside its standard streams. The trees are added to the view, whose rules are complete. What
// is wrong with the names, or with what they are bound to, is added to `problems`.
std::vector<PassedDescriptor> resolve_descriptors(const Policy& policy, const Bindings& bindings,
                                                  FileView& view, std::vector<Problem>& problems);

}  // namespace syncspawn::sandbox
