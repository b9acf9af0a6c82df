#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/barrier/visibility.h>
#include <syncspawn/sandbox/policy.hpp>

/// A policy as a file: TOML.
///
///     #include <cstdio>
///     #include <syncspawn/sandbox/policy_file.hpp>
///
///     int main() {
///         const auto policy = syncspawn::sandbox::parse_policy(R"(
///             network = "loopback"
///
///             [files]
///             writable = ["/src"]
///             protected_paths = ["/src/.git"]
///
///             [limits]
///             memory = "2G"
///             wall_clock = "10min"
///         )");
///         std::fputs(to_text(policy).c_str(), stdout);
///         return policy.limits.memory == 2147483648 ? 0 : 1;
///     }
///
/// The keys are the members of Policy. What a file does not name keeps its default, so an empty file is the
/// strict policy.
///
/// | table            | key                              | value                                              |
/// |------------------|----------------------------------|----------------------------------------------------|
/// | (none)           | network                          | "none", "loopback", "host"                         |
/// |                  | services                         | "none", "host"                                     |
/// |                  | host_name                        | string                                             |
/// |                  | accept_weaker                    | list of guarantees: "files", "network", "services", |
/// |                  |                                  | "processes", "privileges", "system calls", "limits" |
/// | `[files]`        | tree                             | "host_read_only", "host", "named_only"             |
/// |                  | writable, read_only,             | lists of paths                                     |
/// |                  | protected_paths, hidden          |                                                    |
/// |                  | private_tmp, device_tree         | true or false                                      |
/// | `[processes]`    | isolated, reaper,                | true or false                                      |
/// |                  | die_with_parent, outlive         |                                                    |
/// | `[limits]`       | memory, memory_high, swap,       | size                                               |
/// |                  | file_size, core_size             |                                                    |
/// |                  | processes, open_files, nice,     | whole number                                       |
/// |                  | cpu_weight, io_weight            |                                                    |
/// |                  | cpus                             | number                                             |
/// |                  | allowed_cpus                     | list of whole numbers                              |
/// |                  | scheduling                       | "usual", "batch", "idle"                           |
/// |                  | cpu_time, wall_clock             | duration                                           |
/// | `[privileges]`   | capabilities                     | list of names                                      |
/// |                  | user, group, host_user,          | id                                                 |
/// |                  | host_group                       |                                                    |
/// |                  | no_new_privileges,               | true or false                                      |
/// |                  | nested_user_namespaces,          |                                                    |
/// |                  | new_session_keyring              |                                                    |
/// | `[system_calls]` | default_deny_set                 | true or false                                      |
/// |                  | denied, allowed                  | lists of names                                     |
/// | `[[doors]]`      | name, address                    | strings, both needed; one table for each door      |
/// |                  | backlog                          | whole number                                       |
/// | `[[descriptors]]`| name                             | string; one table for each descriptor              |
/// |                  | number                           | whole number; both are needed                      |
/// | `[[trees]]`      | name, path                       | strings, both needed; one table for each tree      |
/// |                  | access                           | "read_only", "writable"                            |
///
///  - A size is a number of bytes, or a string: "512K", "2GiB". The units are K, M, G and T, or KiB, MiB, GiB and
///    TiB, each 1024 times the one before.
///  - A duration is a string of whole numbers with units: "10min", "1h 30min", "250ms". The units are ns, us, ms,
///    s, min, h and d.
///  - Any key of `[limits]` with a size, a number or a duration may be "unlimited". That is the default of all but
///    core_size.
///
/// Nothing is ignored. An unknown key or word, a value of the wrong type and a number out of range are errors, and
/// all of them are found at once (of more than a hundred, those). What the values mean, and whether the paths exist, Sandbox finds out.

namespace syncspawn::sandbox {

/// One thing that is wrong in a policy file.
struct PolicyFileProblem {
    unsigned line = 0;    ///< from 1
    unsigned column = 0;  ///< from 1, in characters
    std::string key;      ///< "limits.memory"; empty where the text is no TOML
    std::string text;     ///< "there is no such key; do you mean 'writable'?"

    friend bool operator==(const PolicyFileProblem&, const PolicyFileProblem&) = default;
};

/// A text that is no policy. what() has a line for each problem, as compilers print them:
///
///     agent.toml:3:1: files.writeable: there is no such key; do you mean 'writable'?
///     agent.toml:7:10: limits.memory: 'lots' is no size: say a number of bytes, or "2G"
class SYNCSPAWN_API PolicyFileError : public std::runtime_error {
public:
    PolicyFileError(const std::string& name, std::vector<PolicyFileProblem> problems);
    /// At least one, in the order of the text.
    [[nodiscard]] const std::vector<PolicyFileProblem>& problems() const noexcept {
        return problems_;
    }

private:
    std::vector<PolicyFileProblem> problems_;
};

/// No policy is longer, in bytes. Of a longer file no more than this is read.
inline constexpr std::size_t longest_policy = 1U << 20U;

/// Reads the file at `path`, which may be a pipe. Throws std::system_error if it cannot be read, and
/// PolicyFileError if it is no policy, or too long.
[[nodiscard]] SYNCSPAWN_API Policy read_policy_file(const std::string& path);
/// The policy that `text` is. Errors call it by `name`. Throws PolicyFileError.
[[nodiscard]] SYNCSPAWN_API Policy parse_policy(std::string_view text,
                                                const std::string& name = "policy");
/// The policy as a file. parse_policy() makes an equal one of it, and equal policies have equal texts. The keys
/// come in the order of the table above, and those that have their default are left out: what stands in the text
/// is what differs from the strict policy.
///
/// Throws std::invalid_argument for a string that no TOML can have: one that is not UTF-8, or contains a NUL.
[[nodiscard]] SYNCSPAWN_API std::string to_text(const Policy& policy);

}  // namespace syncspawn::sandbox
