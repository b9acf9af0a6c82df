// What the program starts with, what it may do, whom it waits for, and how it ends.

#include <array>
#include <stdexcept>

#include "options.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools::bwrap {
namespace {

template <int Gates::*Which>
void gate(Request& request, const Given& given) {
    count_once(request, given);
    request.gates.*Which = given.descriptor();
}

// Refuses a name that no variable can have.
template <class Change>
void change_environment(const char* what, Change change) {
    try {
        change();
    } catch (const std::invalid_argument& error) {
        throw UsageError(std::string(what) + " failed: " + error.what());
    }
}

template <CapabilityChange::Kind Kind>
void change_capability(Request& request, const Given& given) {
    request.restrictions.capabilities.push_back({.kind = Kind, .name = given.value()});
}

void refuse_labels(Request& /*request*/, const Given& /*given*/) {
    throw UsageError("labeling not supported on this system");
}

void set_filter(Request& request, const Given& given) {
    std::vector<FilterSource>& filters = request.restrictions.filters;
    if (!request.single_options.contains("--seccomp") && !filters.empty()) {
        throw UsageError("--seccomp cannot be combined with --add-seccomp-fd");
    }
    count_once(request, given);
    filters = {{.descriptor = given.descriptor(), .typed = given.typed()}};
}

void add_filter(Request& request, const Given& given) {
    if (request.single_options.contains("--seccomp")) {
        throw UsageError("--add-seccomp-fd cannot be combined with --seccomp");
    }
    request.restrictions.filters.push_back(
        {.descriptor = given.descriptor(), .typed = given.typed()});
}

constexpr std::array rows{
    Row{"--chdir", "DIR", "Start in DIR",
        [](Request& request, const Given& given) {
            count_once(request, given);
            request.spawn.working_directory = given.value();
        }},
    Row{"--clearenv", "", "Remove all environment variables but PWD",
        [](Request& request, const Given&) { request.spawn.environment.clear(); }},
    Row{"--setenv", "VAR VALUE", "Set an environment variable",
        [](Request& request, const Given& given) {
            change_environment(
                "setenv", [&] { request.spawn.environment.set(given.value(0), given.value(1)); });
        }},
    Row{"--unsetenv", "VAR", "Remove an environment variable",
        [](Request& request, const Given& given) {
            if (given.value().empty() || given.value().find('=') != std::string::npos) {
                throw UsageError("unsetenv failed: a name must not be empty or contain '='");
            }
            request.spawn.environment.unset(given.value());
        }},
    Row{"--argv0", "VALUE", "Let the zeroth argument be VALUE",
        [](Request& request, const Given& given) {
            count_once(request, given);
            request.spawn.argument_zero = given.value();
        }},
    Row{"--lock-file", "DEST", "Hold a read lock on DEST until the command has ended",
        [](Request& request, const Given& given) {
            request.gates.lock_files.push_back(given.value());
        }},
    Row{"--sync-fd", "FD", "Keep FD open until the command has ended",
        [](Request& request, const Given& given) {
            count_once(request, given);
            request.gates.sync = {given.descriptor()};
        }},
    Row{"--exec-label", "LABEL", "Refused: there is no SELinux here", refuse_labels},
    Row{"--file-label", "LABEL", "Refused: there is no SELinux here", refuse_labels},
    Row{"--seccomp", "FD", "Install the filter of system calls in FD; the last one counts",
        set_filter},
    Row{"--add-seccomp-fd", "FD", "The same, and all of them count", add_filter},
    Row{"--block-fd", "FD", "Do not start before a byte can be read from FD", gate<&Gates::block>},
    Row{"--userns-block-fd", "FD", "Do nothing before others have written the id maps",
        gate<&Gates::user_namespace>},
    Row{"--info-fd", "FD", "Write the pid and the namespaces to FD, as JSON", gate<&Gates::info>},
    Row{"--json-status-fd", "FD", "The same on one line, and the exit code at the end",
        gate<&Gates::status>},
    Row{"--new-session", "", "Start in a session without a terminal",
        [](Request& request, const Given&) { request.new_session = true; }},
    Row{"--die-with-parent", "", "End all of it when the caller ends",
        [](Request& request, const Given&) { request.surroundings.die_with_parent = Choice::on; }},
    Row{"--as-pid-1", "", "Let the command be the first process of --unshare-pid",
        [](Request& request, const Given&) { request.surroundings.as_pid_1 = true; }},
    Row{"--cap-add", "CAP", "Give the command this capability, or ALL",
        change_capability<CapabilityChange::Kind::add>},
    Row{"--cap-drop", "CAP", "Take this capability, or ALL, from the command",
        change_capability<CapabilityChange::Kind::drop>},
    Row{"--level-prefix", "", "Begin each message with its severity, as <3>",
        [](Request& request, const Given&) { request.speaker.tell_levels(); }},
    Row{"--not-a-security-boundary", "", "Accepted; says what -try options have left out",
        [](Request& request, const Given&) { request.names_what_is_left_out = true; }},
};

}  // namespace

std::span<const Row> program_rows() { return rows; }

}  // namespace syncspawn::tools::bwrap
