#pragma once

#include <boost/version.hpp>

#if BOOST_VERSION < 108100
#error "syncspawn::boost needs Boost 1.81 or newer: Boost.Process v2 begins there"
#endif

#include <boost/asio/execution_context.hpp>
#include <boost/process/v2/posix/bind_fd.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/start_dir.hpp>
#include <boost/process/v2/stdio.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <type_traits>

/// All that differs from one version of Boost to the next is here. The names do not differ:
/// boost::process::v2 is a namespace up to 1.87, and an inline namespace from 1.88 on. Up to 1.85
/// Boost.Process is made of headers and needs Boost.Filesystem; from 1.86 on it is a library, Boost::process.

namespace syncspawn::for_boost {

namespace asio = boost::asio;
namespace v2 = boost::process::v2;
using error_code = boost::system::error_code;  // NOLINT(*-identifier-naming): Boost's name

namespace detail {

/// In Boost 1.81 bind_fd::on_setup lacks its return statement, so to call it is undefined. Its work is one
/// line, the same in all versions, and is done here instead.
template <class Initializer>
inline constexpr bool is_bind_fd = std::is_same_v<Initializer, v2::posix::bind_fd>;

}  // namespace detail
}  // namespace syncspawn::for_boost
