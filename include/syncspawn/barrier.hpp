#pragma once

/// The barrier layer: everything a program needs that only wants to synchronise two processes, or
/// to reattach to the barrier it was executed with.

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/hand_over.hpp>
