#include "surroundings.hpp"

#include <array>
#include <string>
#include <utility>

#include "limits_of_cgroup.hpp"
#include "operations.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

class Rows {
public:
    Rows(std::vector<Option>& rows, Surroundings& settings) : rows_(rows), settings_(settings) {}

    void add() {
        add_new_namespaces();
        add_joined_namespaces();
        add_ids();
        add_network_and_clocks();
        add_ends();
    }

private:
    // A row that a policy cannot stand beside.
    template <class Apply>
    void row(const char* name, const char* argument, const char* help, Apply apply) {
        shared_row(name, argument, help, [name, apply](Surroundings& settings, const Given& given) {
            if (settings.first_option.empty()) {
                settings.first_option = name;
            }
            apply(settings, given);
        });
    }

    template <class Apply>
    void shared_row(const char* names, const char* argument, const char* help, Apply apply) {
        rows_.push_back(
            {names, argument, help, std::exchange(group_, ""),
             [settings = &settings_, apply](const Given& given) { apply(*settings, given); }});
    }

    void unshare(const char* name, const char* help, Wanted UnsharedNamespaces::*which,
                 Wanted wanted = Wanted::yes) {
        row(name, "", help, [which, wanted](Surroundings& settings, const Given&) {
            Wanted& present = settings.unshare.*which;
            present = present == Wanted::yes ? present : wanted;
        });
    }

    void join(const char* name, const char* help, int JoinedNamespaces::*which) {
        row(name, "FD", help, [which](Surroundings& settings, const Given& given) {
            settings.joined.*which = parse_open_descriptor(*given.value);
        });
    }

    void add_new_namespaces();
    void add_joined_namespaces();
    void add_ids();
    void add_network_and_clocks();
    void add_ends();

    std::vector<Option>& rows_;
    Surroundings& settings_;
    const char* group_ = "Namespaces";
};

void Rows::add_new_namespaces() {
    using Which = UnsharedNamespaces;
    unshare("--unshare-user", "Make a user namespace", &Which::user);
    unshare("--unshare-user-try", "The same, if it can be made", &Which::user, Wanted::try_it);
    unshare("--unshare-ipc", "Make an ipc namespace", &Which::ipc);
    unshare("--unshare-pid", "Make a pid namespace; what is in it ends with the program",
            &Which::pid);
    unshare("--unshare-net", "Make a network namespace, with nothing but a loopback device",
            &Which::network);
    unshare("--unshare-uts", "Make a uts namespace", &Which::uts);
    unshare("--unshare-cgroup", "Make a cgroup namespace", &Which::cgroup);
    unshare("--unshare-cgroup-try", "The same, if it can be made", &Which::cgroup, Wanted::try_it);
    row("--unshare-all", "", "Make all of these; user and cgroup if they can be made",
        [](Surroundings& settings, const Given&) { settings.unshare.set_all(); });
    row("--share-net", "", "But not network",
        [](Surroundings& settings, const Given&) { settings.unshare.network = Wanted::no; });
}

void Rows::add_joined_namespaces() {
    join("--userns", "Join the user namespace that FD has open", &JoinedNamespaces::user);
    join("--userns2", "Join this one, too, when all else is done", &JoinedNamespaces::second_user);
    join("--pidns", "Join the pid namespace that FD has open", &JoinedNamespaces::pid);
    row("--netns", "PATH", "Join a network namespace, as /run/netns/blue",
        [](Surroundings& settings, const Given& given) { settings.joined.network = *given.value; });
}

// "INSIDE:OUTSIDE[:COUNT]"
steps::IdRange parse_range(const std::string& text) {
    const std::size_t first = text.find(':');
    if (first == std::string::npos) {
        throw UsageError("'" + text + "' is not INSIDE:OUTSIDE[:COUNT], as 0:100000:65536");
    }
    const std::size_t second = text.find(':', first + 1);
    steps::IdRange range{.inside = parse_id(text.substr(0, first)),
                         .outside = parse_id(text.substr(first + 1, second - first - 1))};
    if (second != std::string::npos) {
        range.count = parse_id(text.substr(second + 1));
    }
    if (range.count == 0) {
        throw UsageError("'" + text + "' has a COUNT of no ids");
    }
    return range;
}

void Rows::add_ids() {
    constexpr const char* range = "INSIDE:OUTSIDE[:COUNT]";
    row("--uid", "UID", "The user that the program is in its user namespace",
        [](Surroundings& settings, const Given& given) { settings.user = parse_id(*given.value); });
    row("--gid", "GID", "The group that it is in there",
        [](Surroundings& settings, const Given& given) {
            settings.group = parse_id(*given.value);
        });
    row("--map-root", "", "Make the caller root in a new user namespace",
        [](Surroundings& settings, const Given&) { settings.maps.is_root = true; });
    row("--map-uid", range, "Map users of a new user namespace to users outside",
        [](Surroundings& settings, const Given& given) {
            settings.maps.users.push_back(parse_range(*given.value));
        });
    row("--map-gid", range, "The same for groups", [](Surroundings& settings, const Given& given) {
        settings.maps.groups.push_back(parse_range(*given.value));
    });
    row("--map-auto", "", "Make the caller root, and map all ids that /etc/subuid gives",
        [](Surroundings& settings, const Given&) { settings.maps.is_automatic = true; });
    row("--disable-userns", "", "Let nobody inside make user namespaces, or fail",
        [](Surroundings& settings, const Given&) { settings.disable_userns = true; });
    row("--assert-userns-disabled", "", "Fail if user namespaces can be made inside",
        [](Surroundings& settings, const Given&) { settings.assert_userns_disabled = true; });
    row("--allow-userns", "", "Let user namespaces be made inside",
        [](Surroundings& settings, const Given&) { settings.nested_user_namespaces = Choice::on; });
}

// "monotonic=-5"
void set_offset(sandbox::TimeOffsets& offsets, const std::string& text) {
    const std::size_t sign = text.find('=');
    const std::string clock = text.substr(0, sign);
    if (sign == std::string::npos || (clock != "monotonic" && clock != "boottime")) {
        throw UsageError("'" + text + "' is not monotonic=SECONDS or boottime=SECONDS");
    }
    constexpr std::int64_t most = 146LL * 365 * 24 * 60 * 60;  // time_namespaces(7)
    const std::chrono::seconds offset(parse_whole_number(text.substr(sign + 1), -most, most));
    (clock == "monotonic" ? offsets.monotonic : offsets.boottime) = offset;
}

void Rows::add_network_and_clocks() {
    row("--hostname", "NAME", "The host name in the uts namespace",
        [](Surroundings& settings, const Given& given) { settings.host_name = *given.value; });
    row("--loopback", "", "Bring the loopback device up; without --netns, of a new network",
        [](Surroundings& settings, const Given&) { settings.loopback = true; });
    row("--timens-offset", "CLOCK=SECONDS",
        "Set the clock monotonic or boottime ahead, in a new time namespace",
        [](Surroundings& settings, const Given& given) {
            sandbox::TimeOffsets offsets = settings.time_offsets.value_or(sandbox::TimeOffsets{});
            set_offset(offsets, *given.value);
            settings.time_offsets = offsets;
        });
    row("--cgroup", "[=LIMITS]",
        "Make a cgroup for the program; LIMITS are memory=2G,processes=64,cpus=1.5 and the like",
        [](Surroundings& settings, const Given& given) {
            settings.cgroup = limits_of_cgroup(given.value.value_or(""));
        });
}

void Rows::add_ends() {
    row("--as-pid-1", "", "Let the program be the first of its pid namespace",
        [](Surroundings& settings, const Given&) { settings.as_pid_1 = true; });
    shared_row("--[no-]die-with-parent", "",
               "End the program when this command or its parent ends; in a sandbox it ends with "
               "the command anyway, unless you say no",
               [](Surroundings& settings, const Given& given) {
                   settings.die_with_parent = given.negated ? Choice::off : Choice::on;
               });
    shared_row("--strict", "",
               "Fail where something would be left out, as by an option that ends in -try",
               [](Surroundings& settings, const Given&) { settings.left_out = LeftOut::refused; });
}

}  // namespace

void add_surroundings_options(std::vector<Option>& rows, Surroundings& settings) {
    add_operation_options(rows, settings);
    Rows(rows, settings).add();
}

}  // namespace syncspawn::tools
