#pragma once

#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/step.hpp>

/// child_rules_of: what your initializer's hooks promise, so that a launch takes the same time however large
/// your program is.
///
///     #include <sys/resource.h>
///     #include <boost/asio/io_context.hpp>
///     #include <cerrno>
///     #include <syncspawn/boost.hpp>
///
///     struct Nice {
///         static constexpr auto child_rules = syncspawn::ChildRules::shared_memory;
///
///         boost::system::error_code on_exec_setup(auto&, const auto&, auto&) {
///             if (setpriority(PRIO_PROCESS, 0, 10) < 0) {
///                 return {errno, boost::system::system_category()};
///             }
///             return {};
///         }
///     };
///
///     int main() {
///         boost::asio::io_context context;
///         syncspawn::for_boost::SyncedLauncher launcher;
///         auto child = launcher(context, "/bin/true", {}, Nice());
///         return child.wait();
///     }
///
/// A child can share its parent's memory until execve, or get a copy, which takes the longer the larger the
/// parent is. It may share if *all* hooks that run in the child promise ChildRules::shared_memory: no
/// allocation, no lock, nothing written but local variables. step.hpp has the rules in full.

namespace syncspawn::for_boost {

/// What the child hooks of an initializer (on_exec_setup, on_exec_error) promise. after_fork, the weakest
/// promise, if it says nothing: what is written for the stock launcher then works as it is.
///
/// Say more with a static member `child_rules`, as above. For a type that is not yours, specialize this.
template <class Initializer>
inline constexpr ChildRules child_rules_of = ChildRules::after_fork;

template <class Initializer>
requires requires { Initializer::child_rules; }
inline constexpr ChildRules child_rules_of<Initializer> = Initializer::child_rules;

// Boost's own, which merely make system calls.
template <>
inline constexpr ChildRules child_rules_of<v2::process_stdio> = ChildRules::shared_memory;
template <>
inline constexpr ChildRules child_rules_of<v2::process_start_dir> = ChildRules::shared_memory;
template <>
inline constexpr ChildRules child_rules_of<v2::posix::bind_fd> = ChildRules::shared_memory;

}  // namespace syncspawn::for_boost
