#pragma once

#include <boost/system/system_error.hpp>
#include <utility>

#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

namespace syncspawn::for_boost {

/// What SyncedLauncher throws: code() is the failed hook's own, what() is that of error().
class LaunchError : public boost::system::system_error {
public:
    LaunchError(const error_code& code, SpawnError error)
        : system_error(code), error_(std::move(error)) {}
    /// Side, stage, step and hint.
    [[nodiscard]] const SpawnError& error() const noexcept { return error_; }
    [[nodiscard]] const char* what() const noexcept override { return error_.what(); }

private:
    SpawnError error_;
};

}  // namespace syncspawn::for_boost
