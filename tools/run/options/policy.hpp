#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/sandbox/policy.hpp>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

// What the command line says of a policy. Its words are changes of a policy: that of --policy, or the strict one.
struct PolicySettings {
    std::string first_option{};  // the first that was given, as it was written; empty: none
    [[nodiscard]] bool is_used() const noexcept { return !first_option.empty(); }

    std::string file{};                                            // --policy
    std::vector<std::function<void(sandbox::Policy&)>> changes{};  // in the order of the words
    std::map<std::string, std::string> words{};    // "files.writable '/src'": --writable '/src'
    std::map<std::string, int> descriptors{};      // --bind-descriptor
    std::map<std::string, std::string> outside{};  // --door: where each one leads, by its name
    std::optional<std::string> save_to{};          // --save-policy; "-": standard output
};

// The rows of --help and of the parser.
void add_policy_options(std::vector<Option>& rows, PolicySettings& settings);

// The policy of the file with all words. Throws UsageError, sandbox::PolicyFileError, std::system_error.
[[nodiscard]] sandbox::Policy policy_of(const PolicySettings& settings);

}  // namespace syncspawn::tools
