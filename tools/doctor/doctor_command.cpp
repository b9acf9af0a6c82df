// `syncspawn doctor`: what this kernel, user and machine allow, found by trying.

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <syncspawn/sandbox.hpp>

#include "examination.hpp"
#include "groups.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/commands.hpp"
#include "tools/exit_codes.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

constexpr int exit_does_not_hold = 1;

struct DoctorSettings {
    std::string policy{};
    bool is_json = false;
    bool is_verbose = false;
};

CommandLine doctor_line(DoctorSettings& settings) {
    return {.command = "syncspawn doctor",
            .synopsis = "[OPTION]...",
            .summary =
                "Find out by trying what this kernel, this user and this machine allow, and by "
                "which mechanisms a policy holds here. Every \"no\" has its cause and its remedy.",
            .options = {{"--policy", "FILE", "Judge this policy instead of the default one", "",
                         [&](const Given& given) {
                             if (given.value->empty()) {
                                 throw UsageError("must not be empty");
                             }
                             settings.policy = *given.value;
                         }},
                        {"--json", "", "Print JSON: see syncspawn-doctor(1)", "",
                         [&](const Given&) { settings.is_json = true; }},
                        {"--verbose", "", "Show all that was tried, and what was read back", "",
                         [&](const Given&) { settings.is_verbose = true; }},
                        help_option},
            .notes =
                "Exits with 0 if the policy holds here, 1 if it does not, and 125 if the command "
                "line or the policy's file is wrong."};
}

bool is_set(const char* variable) {
    const char* const value = std::getenv(variable);
    return value != nullptr && *value != '\0';
}

ReportStyle style_for(const DoctorSettings& settings) {
    ReportStyle style{.is_verbose = settings.is_verbose};
    if (isatty(STDOUT_FILENO) == 0) {
        return style;
    }
    constexpr std::size_t narrowest = 60;
    constexpr std::size_t widest = 110;
    const char* const terminal = std::getenv("TERM");
    style.is_coloured = !is_set("NO_COLOR") && terminal != nullptr && *terminal != '\0' &&
                        std::string_view(terminal) != "dumb";
    winsize size{};
    const bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    style.columns = std::clamp<std::size_t>(is_known ? size.ws_col : 80, narrowest, widest);
    return style;
}

sandbox::Policy policy_for(const DoctorSettings& settings) {
    if (settings.policy.empty()) {
        return {};
    }
    try {
        return sandbox::read_policy_file(settings.policy);
    } catch (const std::system_error& error) {
        throw UsageError(
            "--policy: '" + settings.policy + "' cannot be read: " + error.code().message(),
            "name a file that this user may read");
    }
}

Examination examine(const std::string& name, const sandbox::Policy& policy) {
    const sandbox::Machine machine = sandbox::Machine::probe();
    Examination found{
        .policy = name,
        .landlock_version = machine.landlock_version,
        .verdict = judge(policy, machine),
        .groups = {namespaces(machine), identity(machine), namespaces_alone(machine),
                   landlock(machine), system_calls(machine), confinement(machine), kernel_calls()}};
    FindingGroup of_cgroups = cgroups(machine);
    explain_missing_controllers(found.verdict, of_cgroups);
    found.groups.push_back(std::move(of_cgroups));
    return found;
}

int complain_of_policy(const sandbox::PolicyFileError& error) {
    for (std::string_view lines = error.what(); !lines.empty();) {
        const std::string_view line = lines.substr(0, lines.find('\n'));
        complain(std::string(line), "syncspawn doctor");
        lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    }
    return exit_own_failure;
}

}  // namespace

void describe_doctor(const LineUser& use) {
    DoctorSettings unused;
    use(doctor_line(unused));
}

int doctor(int argc, char** argv) {
    DoctorSettings settings;
    const CommandLine line = doctor_line(settings);
    const auto operands = parse(line, argc, argv);
    if (!operands) {
        return print(help_of(line));
    }
    if (!operands->behind_options().empty()) {
        throw UsageError("unexpected '" + operands->behind_options().front() + "'",
                         "it takes options alone; a policy is named by --policy FILE");
    }
    // A child whose end is ignored has no status, and one is asked for.
    std::signal(SIGCHLD, SIG_DFL);
    try {
        const Examination found = examine(settings.policy, policy_for(settings));
        const int failure =
            print(settings.is_json ? in_json(found) : in_text(found, style_for(settings)));
        return failure != 0 ? failure : found.verdict.holds() ? 0 : exit_does_not_hold;
    } catch (const sandbox::PolicyFileError& error) {
        return complain_of_policy(error);
    }
}

}  // namespace syncspawn::tools
