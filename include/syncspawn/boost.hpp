#pragma once

/// For programs that use Boost.Process v2 or Boost.Asio. Put SyncedLauncher where your launcher was:
///
///     #include <boost/asio/io_context.hpp>
///     #include <syncspawn/boost.hpp>
///
///     int main() {
///         boost::asio::io_context context;
///         syncspawn::for_boost::SyncedLauncher launcher;
///         boost::process::v2::process child = launcher(context, "/bin/echo", {"hello"});
///         return child.wait();
///     }
///
/// This header includes the whole adapter. docs/boost.md is the guide. If you would rather pick:
///
///     synced_launcher.hpp       a launcher for Boost.Process whose child waits for its parent
///     child_rules.hpp           what lets your own initializers launch in constant time
///     launch_error.hpp          what that launcher throws
///     barrier_initializer.hpp   a barrier for those who must keep another launcher
///     async_run.hpp             run a command or a pipeline without blocking, and get what it wrote
///     async_spawn.hpp           launch without blocking
///     async_wait_exit.hpp       wait for the end of a process without blocking
///     async_barrier.hpp         meet the program at a barrier without blocking
///     process.hpp               turn a Process into a process of Boost
///
/// Headers alone: there is nothing to link beyond the launcher. Needs Boost 1.81 or newer.

#include <syncspawn/boost/async_barrier.hpp>
#include <syncspawn/boost/async_run.hpp>
#include <syncspawn/boost/async_spawn.hpp>
#include <syncspawn/boost/async_wait_exit.hpp>
#include <syncspawn/boost/barrier_initializer.hpp>
#include <syncspawn/boost/process.hpp>
#include <syncspawn/boost/synced_launcher.hpp>
