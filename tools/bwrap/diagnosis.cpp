#include "diagnosis.hpp"

#include <cstring>
#include <system_error>

namespace syncspawn::tools::bwrap {
namespace {

std::string in_words(const SpawnError& error) {
    return error.code().category() == std::generic_category() ||
                   error.code().category() == std::system_category()
               ? std::strerror(error.code().value())
               : error.code().message();
}

bool is_refused(const SpawnError& error) {
    return error.code() == std::errc::operation_not_permitted ||
           error.code() == std::errc::permission_denied ||
           error.code() == std::errc::too_many_files_open;
}

bool is_beyond_a_limit(const SpawnError& error) {
    return error.code() == std::errc::no_space_on_device || error.code().value() == EUSERS;
}

// "WHAT 'PLACE': why": PLACE, or nothing.
std::string place_in(const std::string& detail, const std::string& what) {
    const std::string beginning = what + " '";
    if (!detail.starts_with(beginning)) {
        return {};
    }
    return detail.substr(beginning.size(), detail.find('\'', beginning.size()) - beginning.size());
}

// What callers look for, to find out what a machine refuses. Empty for all else.
std::string known_refusal(const SpawnError& error) {
    const std::string& step = error.step();
    if (error.stage() == Stage::start && is_beyond_a_limit(error)) {
        return "Creating new namespace failed";
    }
    if (error.stage() == Stage::start && is_refused(error)) {
        return "No permissions to create a new namespace";
    }
    if (step == "id map" || step == "own id map") {
        return "setting up uid map: " + in_words(error);
    }
    if (step == "loopback" && is_refused(error)) {
        return "loopback: Failed RTM_NEWADDR: " + in_words(error);
    }
    if (error.detail().find("make '/' private") != std::string::npos) {
        return "Failed to make / slave: " + in_words(error);
    }
    const std::string proc = place_in(error.detail(), "proc");
    if (!proc.empty()) {
        return "Can't mount proc on /newroot" + proc + ": " + in_words(error);
    }
    return {};
}

}  // namespace

std::string diagnosis(const SpawnError& error, const Request& request) {
    const std::string why = ": " + in_words(error);
    const std::string& step = error.step();
    constexpr std::string_view lock_file = "--lock-file ";
    if (error.cause() != Cause::error) {
        return error.what();
    }
    if (error.stage() == Stage::execve) {
        return "execvp " + request.spawn.program + why;
    }
    if (error.stage() == Stage::working_directory) {
        return "Can't chdir to " + request.spawn.working_directory + why;
    }
    const std::string refusal = known_refusal(error);
    if (!refusal.empty()) {
        return refusal + " (" + error.what() + ")";
    }
    const std::string link = place_in(error.detail(), "symlink");
    if (error.code() == std::errc::file_exists && !link.empty()) {
        return "Can't make symlink at " + link + ": existing destination is something else";
    }
    if (step.starts_with(lock_file)) {
        return "Unable to " + error.detail() + " lock file " + step.substr(lock_file.size()) + why;
    }
    return error.what();
}

}  // namespace syncspawn::tools::bwrap
