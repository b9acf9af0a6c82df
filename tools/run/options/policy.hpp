#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/sandbox/policy.hpp>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

// What the command line says of a policy. Its words change a policy: that of --policy, or the strict one.
struct PolicySettings {
    std::string first_option{};  // "--writable", the first that was given; empty: none
    [[nodiscard]] bool is_used() const noexcept { return !first_option.empty(); }

    std::string file{};  // --policy
    // One for each word, in their order. The library's names of what they change lead back to them:
    // "files.writable '/home/me/src'" is "--writable src".
    std::vector<std::function<void(sandbox::Policy&)>> changes{};
    std::map<std::string, std::string> words{};
    std::map<std::string, int> descriptors{};      // --bind-descriptor
    std::map<std::string, std::string> outside{};  // --door: where it leads, by its name
    std::optional<std::string> save_to{};          // --save-policy; "-": standard output
};

// The rows of --help and of the parser.
void add_policy_options(std::vector<Option>& rows, PolicySettings& settings);

// The policy of the file, with all words. Throws sandbox::PolicyFileError, or std::system_error.
[[nodiscard]] sandbox::Policy policy_of(const PolicySettings& settings);

}  // namespace syncspawn::tools
