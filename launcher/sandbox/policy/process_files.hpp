#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>

#include <syncspawn/sandbox/enforcement.hpp>

namespace syncspawn::sandbox {

// What several looks at the kernel have come to: one that refutes counts, and then one that could not be made.
class Evidence {
public:
    void note(Reading reading, const std::string& text) {
        const bool is_worse = reading == Reading::refuted ||
                              (reading == Reading::unread && reading_ != Reading::refuted);
        reading_ = is_empty_ || is_worse ? reading : reading_;
        text_ += (text_.empty() ? "" : ", ") + text;
        is_empty_ = false;
    }
    void note_if(bool is_so, const std::string& text) {
        note(is_so ? Reading::confirmed : Reading::refuted, text);
    }
    // All of another one, as one.
    void note(Evidence&& other, const std::string& of_whom) {
        note(other.reading_, of_whom + std::move(other.text_));
    }
    EnforcedGuarantee take(const Holding& holding) && {
        if (is_empty_) {
            return {holding, Reading::unread, "the kernel does not tell"};
        }
        return {holding, reading_, std::move(text_)};
    }

private:
    Reading reading_ = Reading::confirmed;
    std::string text_;
    bool is_empty_ = true;
};

// What /proc says of a process, as evidence.
class ProcessFiles {
public:
    explicit ProcessFiles(pid_t pid) : pid_(pid), directory_("/proc/" + std::to_string(pid)) {}

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    // The value of a line; empty where there is none.
    [[nodiscard]] std::string status(const std::string& key) const;
    // Why there is nothing to be read.
    [[nodiscard]] std::string why_not() const;

    // Whether the process is in another namespace of this kind than the caller.
    void look_at_namespace(Evidence& evidence, const std::string& kind) const;
    // Whether a line of its status is what it should be.
    void look_at_status(Evidence& evidence, const std::string& key,
                        const std::string& wanted) const;
    // Whether it has a filter of system calls that this process does not have.
    void look_at_filter(Evidence& evidence) const;
    // Its ids outside.
    void look_at_user(Evidence& evidence, uid_t wanted) const;
    void look_at_root(Evidence& evidence, bool is_read_only) const;
    // The soft limit, which it may use up, and the hard one, to which it may raise that.
    void look_at_limit(Evidence& evidence, const std::string& name, std::uint64_t wanted) const;
    // How many CPUs it may run on.
    void look_at_cpus(Evidence& evidence, double wanted) const;
    // Whether it is the first of its pid namespace.
    void look_at_number(Evidence& evidence) const;
    // Whether its files here are somebody else's than its user's: then it is not dumpable, and nobody inside may trace
    // it.
    void look_at_dumpable(Evidence& evidence, uid_t its_user) const;

private:
    // That the process is in another namespace of this kind than the caller; empty: there is none.
    [[nodiscard]] std::string sign_of_another(const std::string& kind) const;

    pid_t pid_;
    std::string directory_;
};

}  // namespace syncspawn::sandbox
