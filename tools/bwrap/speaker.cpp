#include "speaker.hpp"

#include <sys/syslog.h>

#include "tools/messages.hpp"

namespace syncspawn::tools::bwrap {

void Speaker::fail(const std::string& what) const { say(LOG_ERR, what); }

void Speaker::warn(const std::string& what) const { say(LOG_WARNING, what); }

void Speaker::say(int level, const std::string& what) const {
    complain(what, tells_levels_ ? "<" + std::to_string(level) + ">bwrap" : "bwrap");
}

}  // namespace syncspawn::tools::bwrap
