#include "timeline_forms.hpp"
namespace syncspawn::tools {
std::string timeline_svg(const Story&) { return {}; }
}  // namespace syncspawn::tools
