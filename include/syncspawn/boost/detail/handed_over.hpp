#pragma once

#include <utility>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::for_boost::detail {

/// The parent's side of a barrier that was handed over, with the pidfd that it watches. It belongs to one
/// launch, so a copy of the launcher that holds it gets an empty one.
struct HandedOver {
    HandedOver() = default;
    HandedOver(Barrier its_side, UniqueFd its_pidfd)
        : peer_pidfd(std::move(its_pidfd)), side(std::move(its_side)) {}
    HandedOver(HandedOver&&) noexcept = default;
    HandedOver& operator=(HandedOver&&) noexcept = default;
    HandedOver(const HandedOver&) noexcept {}
    HandedOver& operator=(const HandedOver& other) noexcept {
        if (this != &other) {
            *this = HandedOver();
        }
        return *this;
    }
    ~HandedOver() = default;

    UniqueFd peer_pidfd;
    Barrier side;
};

}  // namespace syncspawn::for_boost::detail
