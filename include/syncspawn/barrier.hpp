#pragma once

/// The barrier layer: all that two processes need to keep in step, also across execve. This program
/// executes itself as its child, and both meet:
///
///     #include <unistd.h>
///
///     #include <syncspawn/barrier.hpp>
///
///     using namespace syncspawn;
///
///     int main(int, char** arguments) {
///         AttachError error;
///         Barrier handed_over = attach(error);
///         if (!error) return handed_over.place_and_sync() == Outcome::reached ? 0 : 1;
///
///         BarrierPair pair = Barrier::pair();
///         if (fork() == 0) {
///             Barrier barrier = std::move(pair).child();
///             BarrierEnvironment environment;
///             if (export_barrier(barrier, environment) != Outcome::reached) _exit(126);
///             char* variables[] = {environment.local_fd, environment.remote_fd, environment.pipe_fd,
///                                  environment.state, nullptr};
///             execve("/proc/self/exe", arguments, variables);
///             _exit(127);
///         }
///         Barrier barrier = std::move(pair).parent();
///         return barrier.place_and_sync() == Outcome::reached ? 0 : 1;
///     }

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/events.hpp>
#include <syncspawn/barrier/hand_over.hpp>
