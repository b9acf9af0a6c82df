#include <syncspawn/sandbox/landlock.hpp>

#include <cerrno>
#include <string>

#include "groups.hpp"
#include "trial.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::LandlockParts;

struct Row {
    LandlockParts part;
    const char* name;
    const char* label;
    const char* linux;
};
constexpr Row rows[]{
    {LandlockParts::move, "landlock.move", "moving to other directories", "Linux 5.19"},
    {LandlockParts::truncate, "landlock.truncate", "truncating", "Linux 6.2"},
    {LandlockParts::tcp_ports, "landlock.tcp_ports", "TCP ports", "Linux 6.7"},
    {LandlockParts::control, "landlock.control", "control of devices", "Linux 6.10"},
    {LandlockParts::abstract_sockets, "landlock.abstract_sockets", "abstract sockets",
     "Linux 6.12"},
    {LandlockParts::signals, "landlock.signals", "signals", "Linux 6.12"},
    {LandlockParts::log, "landlock.log", "the log", "Linux 6.15"},
};

// Of rules that take all there is.
LandlockParts missing_parts() {
    using sandbox::LandlockAccess;
    using sandbox::LandlockScopes;
    const sandbox::LandlockRules all{
        .paths =
            sandbox::LandlockPaths{{"/", LandlockAccess::read_write | LandlockAccess::control}},
        .bind_ports = sandbox::TcpPorts{},
        .connect_ports = sandbox::TcpPorts{},
        .scopes = LandlockScopes::abstract_sockets | LandlockScopes::signals};
    return sandbox::plan_landlock(all, {.log = sandbox::LandlockLog::refusals}).missing;
}

sandbox::Ability ability_of(const Row& row, LandlockParts missing, int version) {
    return (missing & row.part) == LandlockParts::none
               ? sandbox::Ability()
               : refusal(EOPNOTSUPP, "landlock_create_ruleset",
                         "Landlock here is of version " + std::to_string(version), row.linux);
}

}  // namespace

FindingGroup landlock(const sandbox::Machine& machine) {
    FindingGroup group{"landlock", "Landlock"};
    const int version = machine.landlock_version;
    group.findings.push_back(
        finding_of("landlock.files",
                   machine.landlock ? "files (version " + std::to_string(version) + ")" : "files",
                   machine.landlock));
    const LandlockParts missing = machine.landlock ? missing_parts() : LandlockParts::none;
    for (const Row& row : rows) {
        group.findings.push_back(
            finding_of(row.name, row.label,
                       machine.landlock ? ability_of(row, missing, version) : machine.landlock));
        if (machine.landlock) {
            group.findings.back().error.clear();  // its version says it, and no call was refused
        }
    }
    return group;
}

}  // namespace syncspawn::tools
