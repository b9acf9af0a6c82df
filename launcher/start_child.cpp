#include "start_child.hpp"

#include <cerrno>
#include <functional>
#include <new>
#include <system_error>

#include "lasting_thread.hpp"

namespace syncspawn::detail {
namespace {

StartedChild start(Plan& plan, StartMethod method) noexcept {
    return method == StartMethod::copied_memory ? start_with_copied_memory(plan)
                                                : start_with_shared_memory(plan);
}

}  // namespace

StartedChild start_child(Plan& plan, StartMethod method) noexcept {
    if (!plan.die_with_parent) {
        return start(plan, method);
    }
    StartedChild child;
    try {
        const auto work = [&] { child = start(plan, method); };
        if (!run_on_lasting_thread(std::ref(work))) {
            return no_child(
                EPERM,
                "the library's thread for children that die with their parent is unlike the "
                "caller in credentials, filters, namespaces or open files");
        }
    } catch (const std::system_error& failure) {
        return no_child(failure.code().value(), "pthread_create");
    } catch (const std::bad_alloc&) {
        return no_child(ENOMEM, "pthread_create");
    }
    return child;
}

}  // namespace syncspawn::detail
