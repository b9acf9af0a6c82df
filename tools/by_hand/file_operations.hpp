#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher/step.hpp>

#include "file_layout.hpp"
#include "surroundings.hpp"

namespace syncspawn::tools {

// Whose processes a /proc shows.
enum class Processes { of_the_host, of_its_own };

// The steps that lay the files out, on an empty root. Operations with a source that is missing and may be are left
// out, and named in `left_out`. Throws UsageError, which names the operation at fault.
std::vector<Step> steps_for(const FileLayout& layout, Manner manner, Processes processes,
                            std::vector<std::string>& left_out);

}  // namespace syncspawn::tools
