#include <syncspawn/launcher/steps/identity.hpp>

#include <stdexcept>
#include <utility>

#include "child/identity.hpp"
#include "user_database.hpp"

namespace syncspawn::steps {

Step become(Identity identity) {
    if (!identity.user && !identity.group && !identity.groups) {
        throw std::invalid_argument("become: no id is set");
    }
    return {.name = "identity",
            .child = async_signal_safe([identity = std::move(identity)](ChildSide& side) {
                return take_identity(side, identity);
            })};
}

Identity identity_of(const std::string& user) {
    auto entry = find_user(user);
    if (!entry) {
        throw std::invalid_argument("there is no user '" + user + "'");
    }
    return {.user = entry->user, .group = entry->group, .groups = std::move(entry->groups)};
}

gid_t group_of(const std::string& name) {
    const auto group = find_group(name);
    if (!group) {
        throw std::invalid_argument("there is no group '" + name + "'");
    }
    return *group;
}

}  // namespace syncspawn::steps
