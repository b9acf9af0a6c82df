#pragma once

#include <string>
#include <vector>

namespace syncspawn::sandbox {

// Where services of the host may be reached: the paths of all unix sockets that this process's network
// namespace has, sorted. Those of other namespaces are not known.
//
// A file that has been renamed is looked for in its directory, and one that was bound by a relative path in the
// working directory of the processes that hold the socket, as far as this process may know that.
std::vector<std::string> sockets_of_host();

// The directory that is for such sockets and little else: /run. Empty where there is none.
std::string directory_of_services();

}  // namespace syncspawn::sandbox
