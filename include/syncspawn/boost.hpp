#pragma once

/// The adapter for Boost.Process v2 and Boost.Asio, in headers alone. docs/boost.md is the guide.

#include <syncspawn/boost/async_barrier.hpp>
#include <syncspawn/boost/async_spawn.hpp>
#include <syncspawn/boost/async_wait_exit.hpp>
#include <syncspawn/boost/barrier_initializer.hpp>
#include <syncspawn/boost/process.hpp>
#include <syncspawn/boost/synced_launcher.hpp>
