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
           error.code() == std::errc::no_space_on_device ||
           error.code() == std::errc::too_many_files_open || error.code().value() == EUSERS;
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
    if (error.stage() == Stage::start && is_refused(error)) {
        return "No permissions to create a new namespace (" + std::string(error.what()) + ")";
    }
    if (step == "id map" && is_refused(error)) {
        return "setting up uid map" + why + " (" + error.what() + ")";
    }
    constexpr std::string_view link = "symlink '";
    if (error.code() == std::errc::file_exists && error.detail().starts_with(link)) {
        const std::string place = error.detail().substr(link.size());
        return "Can't make symlink at " + place.substr(0, place.rfind('\'')) +
               ": existing destination is something else";
    }
    if (step.starts_with(lock_file)) {
        return "Unable to " + error.detail() + " lock file " + step.substr(lock_file.size()) + why;
    }
    return error.what();
}

}  // namespace syncspawn::tools::bwrap
