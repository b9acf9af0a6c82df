#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::testing {

// A pseudo-terminal that controls nobody yet.
class Terminal {
public:
    Terminal() {
        REQUIRE(master_);
        REQUIRE(grantpt(master_.get()) == 0);
        REQUIRE(unlockpt(master_.get()) == 0);
        char name[64];
        REQUIRE(ptsname_r(master_.get(), name, sizeof name) == 0);
        slave_ = UniqueFd(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
        REQUIRE(slave_);
    }
    int fd() const noexcept { return slave_.get(); }
    int master() const noexcept { return master_.get(); }
    void type(const std::string& text) const {
        CHECK(write(master_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    // The session that it controls; -1: none.
    pid_t session() const noexcept {
        pid_t session = -1;
        return ioctl(master_.get(), TIOCGSID, &session) < 0 ? -1 : session;
    }
    pid_t foreground() const noexcept {
        pid_t group = -1;
        return ioctl(master_.get(), TIOCGPGRP, &group) < 0 ? -1 : group;
    }

private:
    UniqueFd master_{posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    UniqueFd slave_;
};

}  // namespace syncspawn::testing
