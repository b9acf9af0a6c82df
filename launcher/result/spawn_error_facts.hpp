#pragma once

#include <sys/types.h>

#include <syncspawn/launcher/timeline.hpp>

#include "launcher/child/known_call.hpp"

namespace syncspawn {

// What a SpawnError carries.
struct SpawnError::Facts {
    WhichSide side = WhichSide::parent;
    Stage stage = Stage::none;
    Cause cause = Cause::none;
    std::string step{};
    int error = 0;
    std::optional<std::error_code> code{};  // instead of the errno
    pid_t child_pid = -1;
    std::optional<ExitStatus> status{};
    std::string detail{};
    detail::KnownCall call = detail::KnownCall::none;
    std::string hint{};
    bool program_may_have_run = false;
    std::string undo_failures{};
    std::optional<pid_t> survivor{};  // the child, if SIGKILL did not end it
    std::string why_it_survived{};
    std::string last_words{};
    Timeline timeline{};
    std::string text{};  // made from the others
};

}  // namespace syncspawn
