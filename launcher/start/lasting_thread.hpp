#pragma once

#include <functional>

namespace syncspawn::detail {

// The children of the thread are born into the pid namespace of this process, or wherever `work` says by setns(2).
enum class Births { here, elsewhere };

// Runs `work` on a thread that lasts as long as this process, with all signals blocked, and waits for
// its end. The kernel ties PR_SET_PDEATHSIG to the thread that started the child: one of the
// application may end long before the process does. The first thread of the process is such a one
// itself, for children that are born here. Throws std::system_error if there is no such thread and none can be started. Thread-safe; one
// work at a time on each of the two.
//
// False, and nothing was run, if that thread has other credentials, filters, namespaces or open files
// than the caller, as far as /proc tells: a child would get what the caller has given up.
bool run_on_lasting_thread(Births births, const std::function<void()>& work);

}  // namespace syncspawn::detail
