#include "restrictions.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "limit_values.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::LandlockAccess;
using sandbox::LandlockScopes;

// Whether the defaults of a sandbox hold once the option is given.
enum class Sort { of_any_launch, of_a_sandbox };

class Rows {
public:
    Rows(std::vector<Option>& rows, Restrictions& restrictions)
        : rows_(rows), restrictions_(restrictions) {}

    void begin(std::string_view group, Sort sort) {
        group_ = group;
        sort_ = sort;
    }

    void add(std::string_view names, std::string_view argument, std::string_view help,
             std::function<void(const Given&)> apply) {
        rows_.push_back({names, argument, help, std::exchange(group_, ""),
                         [apply = std::move(apply), &into = restrictions_, sort = sort_,
                          name = name_in(names)](const Given& given) {
                             apply(given);
                             remember(into.first_option, name);
                             if (sort == Sort::of_a_sandbox) {
                                 remember(into.first_sandboxing, name);
                             }
                         }});
    }

private:
    static std::string name_in(std::string_view names) {
        constexpr std::string_view negatable = "--[no-]";
        return names.starts_with(negatable) ? "--" + std::string(names.substr(negatable.size()))
                                            : std::string(names.substr(0, names.find(", ")));
    }
    static void remember(std::string& first, const std::string& name) {
        if (first.empty()) {
            first = name;
        }
    }

    std::vector<Option>& rows_;
    Restrictions& restrictions_;
    std::string_view group_{};
    Sort sort_ = Sort::of_any_launch;
};

std::vector<std::string> parts_of(const std::string& list) {
    std::vector<std::string> parts;
    for (std::string_view rest = list; !rest.empty();) {
        const std::size_t comma = rest.find(',');
        parts.emplace_back(rest.substr(0, comma));
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    return parts;
}

const std::string& not_empty(const std::string& value) {
    if (value.empty()) {
        throw UsageError("must not be empty");
    }
    return value;
}

void set_limit(std::vector<steps::ResourceLimit>& limits, const steps::ResourceLimit& limit) {
    std::erase_if(limits, [&](const auto& other) { return other.resource == limit.resource; });
    limits.push_back(limit);
}

void add_limits(Rows& rows, Restrictions& into) {
    rows.begin("Limits and scheduling", Sort::of_any_launch);
    rows.add("--rlimit", "NAME=SOFT[:HARD]",
             "Set a limit of each process: nofile=256, core=0:unlimited; names as ulimit(1p) and "
             "prlimit(1) have them",
             [&](const Given& given) { set_limit(into.limits, parse_limit(*given.value)); });
    rows.add("--nice", "N", "Run with nice value N: -20 to 19", [&](const Given& given) {
        into.nice = static_cast<int>(parse_whole_number(*given.value, -20, 19));
    });
    rows.add("--scheduling", "KIND", "usual; batch: computes for long; idle: when nobody else runs",
             [&](const Given& given) { into.scheduling = parse_scheduling(*given.value); });
    rows.add("--affinity", "LIST", "Run on these CPUs alone: 0-3,5",
             [&](const Given& given) { into.cpus = parse_cpu_list(*given.value); });
    rows.add("--oom-score-adj", "N",
             "How much it is preferred when memory runs out: -1000 (never) to 1000",
             [&](const Given& given) {
                 into.oom_score_adj =
                     static_cast<int>(parse_whole_number(*given.value, -1000, 1000));
             });
    rows.add("--umask", "OCTAL", "The permissions that its new files do not get",
             [&](const Given& given) {
                 const mode_t mask = parse_mode(*given.value);
                 if (mask > 0777) {
                     throw std::invalid_argument("'" + *given.value + "' is more than 0777");
                 }
                 into.umask = mask;
             });
}

void set_groups(IdentityWish& identity, const std::string& list) {
    identity.keeps_groups = list == "keep";
    identity.groups.reset();
    if (list == "none") {
        identity.groups.emplace();
    } else if (!identity.keeps_groups) {
        identity.groups = parts_of(not_empty(list));
    }
}

void add_identity(Rows& rows, Restrictions& into) {
    rows.begin("Identity and privileges", Sort::of_any_launch);
    rows.add("--user", "USER",
             "Run as USER, in its groups; a number takes --group, and has no other groups",
             [&](const Given& given) { into.identity.user = not_empty(*given.value); });
    rows.add("--group", "GROUP", "Run in this group, by name or number",
             [&](const Given& given) { into.identity.group = not_empty(*given.value); });
    rows.add("--groups", "LIST", "The further groups; none, or keep: those of the caller",
             [&](const Given& given) { set_groups(into.identity, *given.value); });
    rows.add("--[no-]new-privileges", "",
             "Whether set-user-ID programs give it any (default: yes; in a sandbox: no)",
             [&](const Given& given) {
                 into.no_new_privileges = given.negated ? Choice::on : Choice::off;
             });
    rows.add("--no-new-privs", "", "--no-new-privileges",
             [&](const Given&) { into.no_new_privileges = Choice::on; });
    rows.add(
        "--[no-]keyring", "",
        "A new session keyring, without the caller's keys (default: in a sandbox)",
        [&](const Given& given) { into.new_keyring = given.negated ? Choice::off : Choice::on; });
    rows.begin("", Sort::of_a_sandbox);
    const auto change = [&into](CapabilityChange::Kind kind) {
        return [&into, kind](const Given& given) {
            into.capabilities.push_back({kind, not_empty(*given.value)});
        };
    };
    rows.add("--cap-add", "CAP", "Let it keep a capability, or ALL; these two in order",
             change(CapabilityChange::Kind::add));
    rows.add("--cap-drop", "CAP", "Take it away again", change(CapabilityChange::Kind::drop));
}

// "none", which forbids them all, or a port.
void add_port(std::optional<sandbox::TcpPorts>& ports, const std::string& word) {
    if (!ports) {
        ports.emplace();
    }
    if (word != "none") {
        ports->push_back(static_cast<std::uint16_t>(parse_whole_number(word, 0, UINT16_MAX)));
    }
}

LandlockScopes parse_scopes(const std::string& list) {
    auto scopes = LandlockScopes::none;
    for (const std::string& word : parts_of(not_empty(list))) {
        if (word == "abstract-sockets" || word == "all") {
            scopes = scopes | LandlockScopes::abstract_sockets;
        }
        if (word == "signals" || word == "all") {
            scopes = scopes | LandlockScopes::signals;
        }
        if (word != "abstract-sockets" && word != "signals" && word != "all") {
            throw UsageError("'" + word + "' is no scope",
                             "there are abstract-sockets, signals and all");
        }
    }
    return scopes;
}

void add_landlock(Rows& rows, Restrictions& into) {
    rows.begin("Landlock", Sort::of_a_sandbox);
    const auto path = [&into](LandlockAccess access) {
        return [&into, access](const Given& given) {
            if (faccessat(AT_FDCWD, not_empty(*given.value).c_str(), F_OK, AT_EACCESS) < 0) {
                throw UsageError(
                    "'" + *given.value + "': " + std::generic_category().message(errno),
                    "name a file or directory that is there");
            }
            if (!into.landlock.paths) {
                into.landlock.paths.emplace();
            }
            into.landlock.paths->push_back({not_empty(*given.value), access});
        };
    };
    constexpr auto reading = LandlockAccess::read | LandlockAccess::list;
    rows.add("--landlock-read", "PATH",
             "Files below PATH can be read; with any such option no others can be opened, but "
             "/dev/null and its like",
             path(reading));
    rows.add("--landlock-exec", "PATH", "The same, and executed", path(LandlockAccess::read_only));
    rows.add("--landlock-write", "PATH", "Read, written, made and removed, not executed",
             path(reading | LandlockAccess::write | LandlockAccess::make | LandlockAccess::remove |
                  LandlockAccess::move | LandlockAccess::control));
    rows.add("--landlock-connect", "PORT",
             "TCP connections go to this port, or to others that are named, or to none",
             [&](const Given& given) { add_port(into.landlock.connect_ports, *given.value); });
    rows.add("--landlock-bind", "PORT", "The same for ports to listen on",
             [&](const Given& given) { add_port(into.landlock.bind_ports, *given.value); });
    rows.add("--landlock-scope", "LIST",
             "What ends at the sandbox's border: abstract-sockets, signals, all",
             [&](const Given& given) {
                 into.landlock.scopes = into.landlock.scopes | parse_scopes(*given.value);
             });
}

void add_program(Restrictions& into, const std::string& option, const std::string& other,
                 const std::string& number) {
    const auto is_of = [](const FilterSource& filter, const std::string& name) {
        return filter.typed.starts_with(name + ' ');
    };
    for (const FilterSource& filter : into.filters) {
        if (is_of(filter, other)) {
            throw UsageError("cannot be combined with " + other);
        }
    }
    if (option == "--seccomp") {  // the last one wins
        std::erase_if(into.filters, [&](const auto& filter) { return is_of(filter, option); });
    }
    into.filters.push_back(
        {.descriptor = parse_open_descriptor(number), .typed = std::string(option) + ' ' + number});
}

void add_filters(Rows& rows, Restrictions& into) {
    rows.begin("System calls", Sort::of_a_sandbox);
    rows.add("--seccomp", "FD", "Install the filter (cBPF) that FD has; of several the last",
             [&](const Given& given) {
                 add_program(into, "--seccomp", "--add-seccomp-fd", *given.value);
             });
    rows.add("--add-seccomp-fd", "FD", "The same, all of them in order", [&](const Given& given) {
        add_program(into, "--add-seccomp-fd", "--seccomp", *given.value);
    });
    rows.add("--seccomp-policy", "FILE",
             "Install the filter that FILE describes; default: refuse what no ordinary program "
             "needs",
             [&](const Given& given) {
                 const bool is_default = *given.value == "default";
                 into.filters.push_back({.kind = is_default ? FilterSource::Kind::deny_set
                                                            : FilterSource::Kind::policy,
                                         .file = not_empty(*given.value),
                                         .typed = "--seccomp-policy " + *given.value});
             });
}

}  // namespace

void add_restriction_options(std::vector<Option>& options, Restrictions& restrictions) {
    Rows rows(options, restrictions);
    add_limits(rows, restrictions);
    add_identity(rows, restrictions);
    add_landlock(rows, restrictions);
    add_filters(rows, restrictions);
}

}  // namespace syncspawn::tools
