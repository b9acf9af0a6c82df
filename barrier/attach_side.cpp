// Attach, the way into an executed program. The program calls it, so it may use the environment.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "barrier/linux/bounded_text.hpp"
#include "barrier/linux/proc.hpp"
#include "hand_over.hpp"
#include "handed_state.hpp"

namespace syncspawn::core {
namespace {

using detail::BoundedText;

// One canonical decimal number within a range: no blanks, plus sign or leading zeroes.
bool parse(std::string_view text, std::int64_t lowest, std::int64_t highest,
           std::int64_t& value) noexcept {
    const char* at = text.data();
    const char* const end = at + text.size();
    const bool negative = at != end && *at == '-';
    at += negative ? 1 : 0;
    if (at == end || (*at == '0' && (end - at > 1 || negative))) {
        return false;
    }
    value = 0;
    for (; at != end; ++at) {
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(value, 10, &value)) {
            return false;
        }
        const std::int64_t summand = negative ? -(*at - '0') : *at - '0';
        if (__builtin_add_overflow(value, summand, &value)) {
            return false;
        }
    }
    return value >= lowest && value <= highest;
}

// One attempt to attach: every step fills the report and returns false when it must end.
class Attempt {
public:
    Attempt(Side& side, syncspawn_attach_error& report, AttachFor whom) noexcept
        : side_(side), report_(report), whom_(whom) {}

    Attached run() noexcept {
        const bool complete = take_variables();
        for (const char* name : names) {
            unsetenv(name);
        }
        if (complete && parse_all() && is_for_this_process() && check_descriptors()) {
            adopt();
        }
        return result_;
    }

private:
    bool end(AttachProblem problem, int error, const char* variable, const char* message) noexcept {
        result_ = {error, problem};
        report_.variable = variable;
        BoundedText(report_.message) << variable << ": " << message;
        return false;
    }

    bool malformed(const char* variable, const char* what, const char* expected,
                   std::string_view found) noexcept {
        constexpr std::size_t longest = 40;
        const bool is_longer = found.size() > longest;
        char message[160];
        BoundedText(message) << what << " must be " << expected << ", not '"
                             << std::string_view(found.data(), is_longer ? longest : found.size())
                             << (is_longer ? "...'" : "'");
        return end(AttachProblem::malformed, EINVAL, variable, message);
    }

    bool take_variables() noexcept {
        std::size_t found = 0;
        for (std::size_t index = 0; index < name_count; ++index) {
            const char* value = std::getenv(names[index]);
            found += value != nullptr ? 1 : 0;
            present_[index] = value != nullptr;
            if (value != nullptr) {
                BoundedText(values_[index]) << value;
                too_long_[index] = std::strlen(value) >= sizeof values_[index];
            }
        }
        if (found == 0) {
            return end(AttachProblem::not_handed_over, ENOENT, state_name,
                       "not set: this program was not started with a barrier");
        }
        for (std::size_t index = 0; index < name_count; ++index) {
            if (!present_[index]) {
                return end(AttachProblem::missing, EINVAL, names[index],
                           "not set, though others of the four variables are");
            }
            if (too_long_[index]) {
                return malformed(names[index], "the value", "shorter", values_[index]);
            }
        }
        return true;
    }

    bool parse_all() noexcept {
        for (std::size_t index = 0; index < std::size(descriptors_); ++index) {
            std::int64_t number = 0;
            if (!parse(values_[index], lowest_exported_fd, largest_int, number)) {
                return malformed(names[index], "the value", "a descriptor number of at least 10",
                                 values_[index]);
            }
            descriptors_[index] = static_cast<int>(number);
        }
        const char* at = values_[3];
        for (const Field& field : fields) {
            const char* const colon = std::strchr(at, ':');
            const bool is_last = &field == std::end(fields) - 1;
            if ((colon == nullptr) != is_last) {
                return malformed(state_name, "the value", "ten numbers separated by ':'",
                                 values_[3]);
            }
            const std::string_view text(
                at, is_last ? std::strlen(at) : static_cast<std::size_t>(colon - at));
            if (!parse(text, field.lowest, field.highest, state_.*field.member)) {
                return malformed(state_name, field.what, "a decimal number within its range", text);
            }
            if (field.member == &State::version && state_.version != version) {
                return end(AttachProblem::other_version, EPROTO, state_name,
                           "written by another version of the protocol; this one speaks 1");
            }
            at += text.size() + (is_last ? 0 : 1);
        }
        return true;
    }

    bool is_for_a_caller() const noexcept {
        return state_.pid == getppid() ||
               (proc::is_of_this_pid_namespace() && proc::is_ancestor(state_.pid));
    }

    bool is_for_this_process() noexcept {
        const std::int64_t own_namespace = proc::pid_namespace();
        const bool is_elsewhere = own_namespace != 0 && state_.pid_namespace != 0 &&
                                  own_namespace != state_.pid_namespace;
        const bool is_own = state_.pid == getpid();
        const bool is_callers = !is_own && !is_elsewhere && is_for_a_caller();
        if ((is_own && !is_elsewhere) || (is_callers && whom_ == AttachFor::calling_script)) {
            return true;
        }
        char message[224];
        BoundedText(message) << "meant for process " << state_.pid
                             << (is_elsewhere ? " of another pid namespace" : "")
                             << "; this is process " << getpid()
                             << ", which merely inherited the environment"
                             << (is_callers
                                     ? " (to speak for that one, attach for the calling script)"
                                     : "");
        return end(AttachProblem::other_process, ESRCH, state_name, message);
    }

    bool check_descriptors() noexcept {
        for (std::size_t index = 0; index < std::size(descriptors_); ++index) {
            for (std::size_t other = 0; other < index; ++other) {
                if (descriptors_[index] == descriptors_[other]) {
                    return is_the_same(index, other);
                }
            }
        }
        return check_eventfd(0, state_.local_id) && check_eventfd(1, state_.remote_id) &&
               check_pipe();
    }

    bool is_the_same(std::size_t index, std::size_t other) noexcept {
        char message[160];
        BoundedText(message) << "descriptor " << descriptors_[index] << " is named by "
                             << names[other] << " too";
        return end(AttachProblem::not_distinct, EINVAL, names[index], message);
    }

    bool complain(std::size_t index, AttachProblem problem, const char* what) noexcept {
        char message[160];
        BoundedText(message) << "descriptor " << descriptors_[index] << " " << what;
        return end(problem, problem == AttachProblem::not_open ? EBADF : EPROTOTYPE, names[index],
                   message);
    }

    // Compares before it writes: what turns out to be somebody else's was not touched.
    bool check_eventfd(std::size_t index, std::int64_t id) noexcept {
        const int fd = descriptors_[index];
        struct stat about {};
        if (fstat(fd, &about) < 0) {
            return complain(index, AttachProblem::not_open, "is not open");
        }
        found_id_[index] = proc::eventfd_id(fd);
        const std::int64_t found = found_id_[index];
        if (found != 0 && id != 0 && found != id) {
            return complain(index, AttachProblem::wrong_object,
                            "is an eventfd, but not the one that was handed over");
        }
        if (found != 0 && index == 1 && found == found_id_[0]) {
            return is_the_same(1, 0);
        }
        // Where /proc does not say what it is: an anonymous inode has no type; of those that can be
        // written, only an eventfd takes eight zero bytes, and adding nothing to it changes nothing.
        const std::uint64_t nothing = 0;
        if (found == 0 &&
            ((about.st_mode & S_IFMT) != 0 ||
             (::write(fd, &nothing, sizeof nothing) != sizeof nothing && errno != EAGAIN))) {
            return complain(index, AttachProblem::wrong_kind, "is not an eventfd");
        }
        return true;
    }

    bool check_pipe() noexcept {
        const int fd = descriptors_[2];
        struct stat about {};
        if (fstat(fd, &about) < 0) {
            return complain(2, AttachProblem::not_open, "is not open");
        }
        if (!S_ISFIFO(about.st_mode)) {
            return complain(2, AttachProblem::wrong_kind, "is not a pipe");
        }
        if (state_.pipe_inode != 0 &&
            static_cast<std::int64_t>(about.st_ino) != state_.pipe_inode) {
            return complain(2, AttachProblem::wrong_object,
                            "is a pipe, but not the one that was handed over");
        }
        const int access = state_.role == SYNCSPAWN_PARENT ? O_RDONLY : O_WRONLY;
        if ((fcntl(fd, F_GETFL) & O_ACCMODE) != access) {
            return complain(2, AttachProblem::wrong_access,
                            state_.role == SYNCSPAWN_PARENT
                                ? "is not the read end, which the parent holds"
                                : "is not the write end, which the child holds");
        }
        return true;
    }

    void adopt() noexcept {
        for (const int fd : descriptors_) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
        side_ = Side{};
        side_.is_open = 1;
        side_.role = static_cast<int>(state_.role);
        side_.local_fd = descriptors_[0];
        side_.remote_fd = descriptors_[1];
        side_.pipe_read_fd = side_.pipe_write_fd = side_.peer_pidfd = -1;
        own_pipe_end(side_) = descriptors_[2];
        side_.abort_state = static_cast<int>(state_.abort);
        side_.balance = state_.balance;
        side_.seen = side_.used = state_.seen;
    }

    Side& side_;
    syncspawn_attach_error& report_;
    AttachFor whom_;
    Attached result_{0, AttachProblem::none};
    char values_[4][256]{};
    bool present_[4]{};
    bool too_long_[4]{};
    int descriptors_[3]{};
    std::int64_t found_id_[2]{};
    State state_{};
};

}  // namespace

Attached attach(Side& side, syncspawn_attach_error& report, AttachFor whom) noexcept {
    side = Side{};
    report = {};
    return Attempt(side, report, whom).run();
}

}  // namespace syncspawn::core
