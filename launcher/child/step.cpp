#include <syncspawn/launcher/step.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "launch_record.hpp"
#include "message.hpp"
#include "open_descriptors.hpp"

namespace syncspawn {

namespace {

detail::KnownCall call_for(Hint hint) noexcept {
    switch (hint) {
        case Hint::id_map:
            return detail::KnownCall::id_map;
        case Hint::session:
            return detail::KnownCall::session;
        case Hint::none:
            break;
    }
    return detail::KnownCall::none;
}

}  // namespace

std::error_code Side::fail(int error, const char* what, Hint hint) noexcept {
    slot_->set_text(what);
    slot_->call = call_for(hint);
    // Some calls fail without setting errno (streams do); a failure it is all the same.
    return {error != 0 ? error : ECANCELED, std::generic_category()};
}

std::error_code Side::fail(const char* what, Hint hint) noexcept { return fail(errno, what, hint); }

std::error_code Side::fail(const std::error_code& error, const char* what) noexcept {
    slot_->set_text(what);
    slot_->call = detail::KnownCall::none;
    return error ? error : std::error_code(ECANCELED, std::generic_category());
}

ChildSide::~ChildSide() {
    if (is_pidfd_ours_) {
        close(parent_pidfd_);
    }
}

std::error_code ChildSide::keep_only(std::span<const int> descriptors) noexcept {
    return detail::close_on_exec_all_but(descriptors.data(), descriptors.size())
               ? done()
               : fail("close_range");
}

std::error_code ChildSide::send_descriptor(int fd) noexcept {
    if (outbox_.socket < 0) {
        return fail(EBADF, "send_descriptor: the step does not say so (sends_descriptors)");
    }
    return detail::send_message(outbox_.socket, outbox_.item, fd) ? done()
                                                                  : fail("send_descriptor");
}

int ChildSide::parent_pidfd() noexcept {
    if (parent_pidfd_ < 0 && getppid() == parent_pid_) {
        parent_pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, parent_pid_, 0));
        is_pidfd_ours_ = parent_pidfd_ >= 0;
        // Still the parent: until now nobody else can have had its number.
        if (is_pidfd_ours_ && getppid() != parent_pid_) {
            close(parent_pidfd_);
            parent_pidfd_ = -1;
            is_pidfd_ours_ = false;
        }
    }
    return parent_pidfd_;
}

}  // namespace syncspawn
