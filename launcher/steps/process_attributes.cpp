#include <syncspawn/launcher/steps/process_attributes.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

#include "child/process_attributes.hpp"
#include "own_proc.hpp"

namespace syncspawn::steps {
namespace {

void require(bool is_met, const std::string& rule) {
    if (!is_met) {
        throw std::invalid_argument("syncspawn: " + rule);
    }
}

std::error_code write_score(ParentSide& side, int score) {
    if (const std::error_code error = require_own_proc(side)) {
        return error;
    }
    const std::string path = "/proc/" + std::to_string(side.child_pid()) + "/oom_score_adj";
    const std::string text = std::to_string(score);
    const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file && side.has_ended()) {  // where SIGCHLD is ignored, the number may be another's by now
        return side.done();
    }
    if (file && write(file.get(), text.data(), text.size()) > 0) {
        return side.done();
    }
    const int error = errno;
    if (side.has_ended()) {  // the files of a zombie are root's
        return side.done();
    }
    return side.fail(
        error,
        (error == EACCES && file ? path + ": lowering it takes CAP_SYS_RESOURCE" : path).c_str());
}

}  // namespace

Step umask(mode_t mask) {
    require(mask <= 0777, "a umask has the bits 0777 alone");
    return {.name = "umask", .child = shared_memory([mask](ChildSide&) { set_umask(mask); })};
}

Step no_new_privileges() {
    return {.name = "no new privileges", .child = shared_memory(renounce_new_privileges)};
}

Step oom_score_adj(int score) {
    require(-1000 <= score && score <= 1000,
            "there is no oom_score_adj of " + std::to_string(score));
    return {.name = "oom score",
            .after_execve = [score](ParentSide& side) { return write_score(side, score); }};
}

Step parent_death_signal(int signal) {
    require(0 < signal && signal < NSIG, "there is no signal " + std::to_string(signal));
    return {.name = "parent-death signal", .last = shared_memory([signal](ChildSide& side) {
                                               return replace_death_signal(side, signal);
                                           })};
}

}  // namespace syncspawn::steps
