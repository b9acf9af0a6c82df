#include <syncspawn/launcher/steps/identity.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "child/identity.hpp"
#include "user_database.hpp"

namespace syncspawn::steps {

Step become(Identity identity) {
    if (!identity.user && !identity.group && !identity.groups) {
        throw std::invalid_argument("become: no id is set");
    }
    constexpr auto no_id = static_cast<uid_t>(-1);
    std::vector<gid_t> groups = identity.groups.value_or(std::vector<gid_t>{});
    if (identity.user == no_id || identity.group == no_id ||
        std::find(groups.begin(), groups.end(), no_id) != groups.end()) {
        throw std::invalid_argument("become: -1 is no id");
    }
    if (identity.groups) {
        std::sort(groups.begin(), groups.end());  // as getgroups(2) tells them
        identity.groups = groups;
    }
    // Where memory is shared, the room for what the kernel says must be the child's own stack, which is small. Who
    // wants more groups has memory copied, the room included.
    if (groups.size() <= most_groups_on_the_stack) {
        return {.name = "identity",
                .child = changing_credentials([identity = std::move(identity)](ChildSide& side) {
                    return take_identity(side, identity);
                })};
    }
    return {.name = "identity",
            .child = async_signal_safe([identity = std::move(identity),
                                        room = std::move(groups)](ChildSide& side) mutable {
                return take_identity(side, identity, room);
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
