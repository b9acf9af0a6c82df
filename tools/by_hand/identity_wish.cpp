#include "identity_wish.hpp"

#include <sys/types.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "tools/command_line/command_line.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

bool is_number(const std::string& word) {
    return !word.empty() && std::all_of(word.begin(), word.end(),
                                        [](char letter) { return '0' <= letter && letter <= '9'; });
}

// What `make` says is wrong, with the option that it is about.
template <class Make>
auto of_option(const std::string& option, Make make) {
    try {
        return make();
    } catch (const std::invalid_argument& error) {
        throw UsageError(option + ": " + error.what());
    }
}

gid_t group_for(const std::string& option, const std::string& word) {
    return of_option(option,
                     [&] { return is_number(word) ? parse_id(word) : steps::group_of(word); });
}

}  // namespace

steps::Identity identity_for(const IdentityWish& wish) {
    steps::Identity identity;
    if (is_number(wish.user)) {
        if (wish.group.empty()) {
            throw UsageError("--user " + wish.user + " is a number, which has no group of its own",
                             "add --group, or give the user by name");
        }
        identity.user = of_option("--user", [&] { return parse_id(wish.user); });
    } else if (!wish.user.empty()) {
        identity = of_option("--user", [&] { return steps::identity_of(wish.user); });
    }
    if (!wish.group.empty()) {
        identity.group = group_for("--group", wish.group);
    }
    if (wish.groups) {
        std::vector<gid_t>& groups = identity.groups.emplace();
        for (const std::string& group : *wish.groups) {
            groups.push_back(group_for("--groups", group));
        }
    }
    if (wish.keeps_groups) {
        identity.groups.reset();
    }
    return identity;
}

}  // namespace syncspawn::tools
