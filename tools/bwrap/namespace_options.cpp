// New namespaces, those that are joined, and the ids in there.

#include <array>
#include <stdexcept>

#include "options.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools::bwrap {
namespace {

template <auto Which, Wanted Asked = Wanted::yes>
void unshare(Request& request, const Given& /*given*/) {
    Wanted& present = request.surroundings.unshare.*Which;
    present = present == Wanted::yes ? present : Asked;
}

template <auto Which>
void join(Request& request, const Given& given) {
    count_once(request, given);
    request.surroundings.joined.*Which = given.descriptor();
}

std::uint32_t id_of(const Given& given, const char* what) {
    try {
        return parse_id(given.value());
    } catch (const std::invalid_argument&) {
        throw UsageError("Invalid " + std::string(what) + ": " + given.value());
    }
}

using New = UnsharedNamespaces;

constexpr std::array rows{
    Row{"--unshare-all", "", "Make all namespaces; user and cgroup if they can be made",
        [](Request& request, const Given&) { request.surroundings.unshare.set_all(); }},
    Row{"--share-net", "", "But not network",
        [](Request& request, const Given&) { request.surroundings.unshare.network = Wanted::no; }},
    Row{"--unshare-user", "", "Make a user namespace; done unasked where it is needed",
        unshare<&New::user>},
    Row{"--unshare-user-try", "", "The same, if it can be made",
        unshare<&New::user, Wanted::try_it>},
    Row{"--unshare-ipc", "", "Make an ipc namespace", unshare<&New::ipc>},
    Row{"--unshare-pid", "", "Make a pid namespace", unshare<&New::pid>},
    Row{"--unshare-net", "", "Make a network namespace", unshare<&New::network>},
    Row{"--unshare-uts", "", "Make a uts namespace", unshare<&New::uts>},
    Row{"--unshare-cgroup", "", "Make a cgroup namespace", unshare<&New::cgroup>},
    Row{"--unshare-cgroup-try", "", "The same, if it can be made",
        unshare<&New::cgroup, Wanted::try_it>},
    Row{"--userns", "FD", "Join this user namespace", join<&JoinedNamespaces::user>},
    Row{"--userns2", "FD", "With --userns: join this one when all else is done",
        join<&JoinedNamespaces::second_user>},
    Row{"--disable-userns", "", "Let nobody inside make user namespaces",
        [](Request& request, const Given&) { request.surroundings.disable_userns = true; }},
    Row{"--assert-userns-disabled", "", "Fail if user namespaces can be made inside",
        [](Request& request, const Given&) { request.surroundings.assert_userns_disabled = true; }},
    Row{"--pidns", "FD", "Join this pid namespace", join<&JoinedNamespaces::pid>},
    Row{"--uid", "UID", "Be this user inside",
        [](Request& request, const Given& given) {
            count_once(request, given);
            request.surroundings.user = id_of(given, "uid");
        }},
    Row{"--gid", "GID", "Be this group inside",
        [](Request& request, const Given& given) {
            count_once(request, given);
            request.surroundings.group = id_of(given, "gid");
        }},
    Row{"--hostname", "NAME", "Have this host name inside; takes --unshare-uts",
        [](Request& request, const Given& given) {
            count_once(request, given);
            request.surroundings.host_name = given.value();
        }},
};

}  // namespace

std::span<const Row> namespace_rows() { return rows; }

}  // namespace syncspawn::tools::bwrap
