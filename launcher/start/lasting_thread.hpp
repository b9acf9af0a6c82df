#pragma once

#include <functional>

namespace syncspawn::detail {

// Runs `work` on a thread that lasts as long as this process, with all signals blocked, and waits for
// its end. The kernel ties PR_SET_PDEATHSIG to the thread that started the child: one of the
// application may end long before the process does. The first thread of the process is such a one
// itself. Throws std::system_error if there is no such thread and none can be started. Thread-safe; one
// work at a time.
//
// False, and nothing was run, if that thread has other credentials, filters, namespaces or open files
// than the caller, as far as /proc tells: a child would get what the caller has given up.
bool run_on_lasting_thread(const std::function<void()>& work);

}  // namespace syncspawn::detail
