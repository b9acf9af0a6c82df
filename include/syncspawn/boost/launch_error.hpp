#pragma once

#include <boost/system/system_error.hpp>
#include <utility>

#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

/// syncspawn::for_boost::LaunchError: what SyncedLauncher throws when a launch fails.
///
///     #include <boost/asio/io_context.hpp>
///     #include <cstdio>
///     #include <syncspawn/boost.hpp>
///
///     namespace v2 = boost::process::v2;
///
///     int main() {
///         boost::asio::io_context context;
///         syncspawn::for_boost::SyncedLauncher launcher;
///         try {
///             launcher(context, "/bin/true", {}, v2::process_start_dir("/nowhere"));
///         } catch (const syncspawn::for_boost::LaunchError& failure) {
///             std::puts(failure.what());
///             return failure.code() == boost::system::errc::no_such_file_or_directory ? 0 : 1;
///         }
///         return 1;
///     }
///
/// It prints
///
///     initializers in the child: on_exec_setup of process_start_dir '/nowhere': no such file or directory

namespace syncspawn::for_boost {

/// A boost::system::system_error, so what catches that today catches this. code() is what the failed hook
/// returned, or the errno of the call that failed; what() is one line that says all of it.
class LaunchError : public boost::system::system_error {
public:
    /// For the library.
    LaunchError(const error_code& code, SpawnError error)
        : system_error(code), error_(std::move(error)) {}
    /// The same failure in detail: side, stage, step, hint, timeline.
    [[nodiscard]] const SpawnError& error() const noexcept { return error_; }
    [[nodiscard]] const char* what() const noexcept override { return error_.what(); }

private:
    SpawnError error_;
};

}  // namespace syncspawn::for_boost
