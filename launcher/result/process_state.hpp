#pragma once

#include <array>
#include <memory>
#include <optional>

#include <syncspawn/launcher/process.hpp>

#include "child_handle.hpp"
#include "trace.hpp"

namespace syncspawn {

// What a Process owns. On the heap, so that the barrier's borrowed pidfd stays where it is.
struct Process::State {
    detail::ChildHandle child{};
    std::optional<Barrier> barrier{};  // if handed over
    std::array<UniqueFd, 3> streams{};
    OnDestruction on_destruction = OnDestruction::kill;
    std::chrono::nanoseconds terminate_grace{};
    StartMethod start_method = StartMethod::copied_memory;
    detail::Trace trace{};
};

}  // namespace syncspawn
