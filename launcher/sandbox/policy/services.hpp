#pragma once

#include <string>
#include <vector>

namespace syncspawn::sandbox {

// Where services of the host may be reached: the paths of all unix sockets that this process's network
// namespace has (/proc/net/unix), sorted. Those of other namespaces are not listed there.
std::vector<std::string> sockets_of_host();

// The directory that is for such sockets and little else: /run. Empty where there is none.
std::string directory_of_services();

}  // namespace syncspawn::sandbox
