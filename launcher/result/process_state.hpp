#pragma once

#include <memory>
#include <optional>

#include <syncspawn/launcher/process.hpp>

#include "after_end.hpp"
#include "child_handle.hpp"
#include "launcher/plan/standard_streams.hpp"
#include "trace.hpp"

namespace syncspawn {

// What a Process owns. On the heap, so that the barrier's borrowed pidfd stays where it is.
struct Process::State {
    detail::ChildHandle child{};
    std::optional<Barrier> barrier{};  // if handed over
    detail::StandardStreams streams{};
    const StopActions* stop = nullptr;  // in the options, whose life the trace shares
    StartMethod start_method = StartMethod::copied_memory;
    detail::Trace trace{};
    detail::AfterEnd after_end{};  // of steps whose life the trace shares
};

}  // namespace syncspawn
