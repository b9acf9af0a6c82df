#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <syncspawn/sandbox/enforcement.hpp>

/// syncspawn::sandbox::PolicyError: all that stands between a policy and its sandbox.
///
///     #include <cstdio>
///     #include <syncspawn/sandbox/policy_error.hpp>
///
///     int main() {
///         const syncspawn::sandbox::PolicyError error(
///             {{.where = "files.writable '/srv/data'", .what = "does not exist", .remedy = "make it first"}});
///         std::puts(error.what());
///         return error.problems().size() == 1 ? 0 : 1;
///     }
///
/// It prints
///
///     files.writable '/srv/data': does not exist; make it first
///
/// Nothing has been started when you get one, and nothing was changed. All problems are there at once.

namespace syncspawn::sandbox {

/// One thing that is wrong with a policy, or that this machine refuses.
struct Problem {
    std::string where;     ///< the member of the policy, and the value: "files.writable '/src'"
    std::string what;      ///< what is wrong with it
    std::string remedy{};  ///< what would be right
    /// What the kernel said, where it was asked.
    std::error_code code{};
    /// For what this machine refuses: the guarantee that cannot be held whole. Policy::accept_weaker names it
    /// to have the second choice, if there is one.
    std::optional<Guarantee> guarantee{};
    /// The mechanism that was tried for it.
    std::string mechanism{};

    /// All of that in one line.
    [[nodiscard]] SYNCSPAWN_API std::string to_string() const;
};

/// Thrown by the constructor of Sandbox. A value, cheap to copy.
class SYNCSPAWN_API PolicyError : public std::runtime_error {
public:
    explicit PolicyError(std::vector<Problem> problems);
    PolicyError(const PolicyError&) noexcept;
    PolicyError& operator=(const PolicyError&) noexcept;
    ~PolicyError() override;

    /// At least one, in the order of the policy's members.
    [[nodiscard]] const std::vector<Problem>& problems() const noexcept { return *problems_; }

private:
    std::shared_ptr<const std::vector<Problem>> problems_;
};

}  // namespace syncspawn::sandbox
