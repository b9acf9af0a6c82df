#pragma once

#include <functional>
#include <string>
#include <vector>

#include "methods.hpp"

// A program that launches on demand, with a ballast of memory as a real parent has it.
//
//     usage: WORKER MIB PAGES PROGRAM      PAGES: small, huge
//
// It says "ready METHOD...\n" once the ballast is there. For each line "METHOD COUNT\n" on its standard
// input it launches COUNT times and answers with a line of COUNT numbers: nanoseconds from the start of
// a launch until its program is reaped. At the end of the input it exits. The peers in other languages
// keep to the same; and around each answer a worker makes no system call but one read and one write,
// so that what lies between them can be counted.

namespace syncspawn::bench {

int serve(int argc, char** argv,
          const std::function<std::vector<Method>(const std::string& program)>& methods_of);

}  // namespace syncspawn::bench
