#include <syncspawn/sandbox/namespaces.hpp>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "launcher/sandbox/child/namespaces.hpp"
#include "outer_namespace.hpp"
#include "time_offsets.hpp"

namespace syncspawn::sandbox {
namespace {

ShortText short_text(const std::string& text) {
    ShortText copy{};
    if (text.size() >= copy.size()) {
        throw std::length_error("a short text is too long");
    }
    std::copy(text.begin(), text.end(), copy.begin());
    return copy;
}

ShortText one_id(std::uint32_t inside, std::uint32_t outside) {
    return short_text(std::to_string(inside) + " " + std::to_string(outside) + " 1\n");
}

void require_name(const std::string& name) {
    constexpr std::size_t longest = 64;  // uts_namespaces: __NEW_UTS_LEN
    if (name.size() > longest || name.find('\0') != std::string::npos) {
        throw std::invalid_argument("a host name has 64 bytes at most, and no NUL: '" + name + "'");
    }
}

Step set_name_step(const char* step, const NameToSet& name) {
    const OuterNamespace outer = outer_namespace(OuterKind::uts);
    return {.name = step, .child = shared_memory([outer, name](ChildSide& side) {
                              return set_name(side, outer, name);
                          })};
}

// The kernel wants the nanoseconds to be positive.
std::string offset_line(const char* clock, std::chrono::nanoseconds offset) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(offset);
    return std::string(clock) + " " + std::to_string(seconds.count()) + " " +
           std::to_string((offset - seconds).count()) + "\n";
}

}  // namespace

Step map_own_id(OwnIds inside) {
    constexpr auto no_id = static_cast<uid_t>(-1);
    if (inside.user == no_id || inside.group == no_id) {
        throw std::invalid_argument("map_own_id: -1 is no id");
    }
    const OwnIdMaps maps{.users = one_id(inside.user, geteuid()),
                         .groups = one_id(inside.group, getegid())};
    return {.name = "own id map",
            .child = shared_memory([maps](ChildSide& side) { return write_own_maps(side, maps); })};
}

Step host_name(const std::string& name) {
    require_name(name);
    return set_name_step("host name", {SYS_sethostname, "sethostname", short_text(name)});
}

Step domain_name(const std::string& name) {
    require_name(name);
    return set_name_step("domain name", {SYS_setdomainname, "setdomainname", short_text(name)});
}

Step time_offsets_step(TimeOffsets offsets, TimeEntry entry) {
    const ShortText text = short_text(offset_line("monotonic", offsets.monotonic) +
                                      offset_line("boottime", offsets.boottime));
    const auto set = [text, entry](ChildSide& side) { return set_time_offsets(side, text, entry); };
    return {.name = "time offsets",
            .child = entry == TimeEntry::by_execve
                         ? shared_memory(set)
                         : async_signal_safe(set)};  // shared memory keeps setns(2) out: EUSERS
}

Step time_offsets(TimeOffsets offsets) { return time_offsets_step(offsets, time_entry_here()); }

Step new_cgroup_namespace() {
    return {.name = "cgroup namespace", .child = shared_memory(leave_cgroup_namespace)};
}

Step no_nested_user_namespaces() {
    const OuterNamespace outer = outer_namespace(OuterKind::user);
    return {.name = "no nested user namespaces", .child = shared_memory([outer](ChildSide& side) {
                                                     return forbid_user_namespaces(side, outer);
                                                 })};
}

}  // namespace syncspawn::sandbox
