#include "status_words.hpp"

#include <cstring>

namespace syncspawn::tools {

const char* word_of(WhichSide side) { return side == WhichSide::parent ? "parent" : "child"; }

const char* word_of(Stage stage) {
    switch (stage) {
        case Stage::none:
            return "none";
        case Stage::prepare:
            return "prepare";
        case Stage::start:
            return "start";
        case Stage::step:
            return "step";
        case Stage::rendezvous:
            return "rendezvous";
        case Stage::working_directory:
            return "working-directory";
        case Stage::descriptors:
            return "descriptors";
        case Stage::execve:
            return "execve";
        case Stage::readiness:
            return "readiness";
    }
    return "none";
}

const char* word_of(Cause cause) {
    switch (cause) {
        case Cause::none:
            return "none";
        case Cause::error:
            return "error";
        case Cause::exception:
            return "exception";
        case Cause::exited:
            return "exited";
        case Cause::killed:
            return "killed";
        case Cause::aborted:
            return "aborted";
        case Cause::disconnected:
            return "disconnected";
        case Cause::timed_out:
            return "timed-out";
        case Cause::cancelled:
            return "cancelled";
    }
    return "none";
}

const char* word_of(TimelineSubject subject) {
    switch (subject) {
        case TimelineSubject::start:
            return "start";
        case TimelineSubject::step:
            return "step";
        case TimelineSubject::rendezvous:
            return "rendezvous";
        case TimelineSubject::working_directory:
            return "working-directory";
        case TimelineSubject::execve:
            return "execve";
        case TimelineSubject::readiness:
            return "readiness";
    }
    return "step";
}

const char* word_of(TimelineMoment moment) {
    switch (moment) {
        case TimelineMoment::begin:
            return "start";
        case TimelineMoment::wait:
            return "wait";
        case TimelineMoment::end:
            return "done";
    }
    return "start";
}

std::string errno_name(const std::error_code& code) {
    if (code.category() != std::generic_category() && code.category() != std::system_category()) {
        return {};
    }
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
    const char* const name = strerrorname_np(code.value());
    return name != nullptr ? name : "";
#else
    return {};
#endif
}

}  // namespace syncspawn::tools
