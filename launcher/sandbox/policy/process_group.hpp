#pragma once

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::sandbox {

// What is left of the program's process group ends when the program has ended, however that is seen to end. It takes
// a program that leads a group, and Linux 6.9: before, the number of a group might be another's by then.
Step end_of_process_group();

}  // namespace syncspawn::sandbox
