#include "inspection.hpp"

namespace syncspawn::tools {

void add_inspection_options(std::vector<Option>& rows, InspectionSettings& settings) {
    rows.push_back(
        {"--dry-run", "",
         "Start nothing: print what parent and child would do, where they would wait for each "
         "other, and what would hold each guarantee of the policy",
         "", [&](const Given&) { settings.dry_run = true; }});
    rows.push_back(
        {"--enforcement", "[=FILE]",
         "Print what the kernel says about each guarantee of the policy, read back right "
         "before the program begins, on stderr or to FILE",
         "", [&](const Given& given) { settings.enforcement = given.value.value_or(""); }});
}

}  // namespace syncspawn::tools
