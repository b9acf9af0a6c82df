#pragma once

#include <cstdint>

#include "network.hpp"

// A child that never executes anything: it goes into somebody's namespaces, connects there, and sends the
// socket home. The rules are those of every child: bare system calls alone, on memory that was made before.

namespace syncspawn::sandbox {

// Descriptors; -1: nothing to enter.
struct Visit {
    int user_namespace = -1;
    int network_namespace = -1;
    int root = -1;
    SocketAddress address{};
    int home = -1;  // a socket to its parent
    int parent = 0;
};

enum class VisitStage : std::int32_t {
    none,
    user_namespace,
    network_namespace,
    root,
    socket,
    connection,
};

// What it sends, with the socket if there is no error.
struct VisitResult {
    VisitStage stage = VisitStage::none;
    std::int32_t error = 0;
};

[[noreturn]] void visit(const Visit& plan) noexcept;

}  // namespace syncspawn::sandbox
