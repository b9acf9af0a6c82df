#pragma once

#include <doctest/doctest.h>

#include "support/ordinary_user.hpp"
#include "support/peer.hpp"

namespace syncspawn::testing {

// Runs `body` in a peer as who runs the test (root, if that is root), and in another one as an ordinary user.
template <class Body>
void as_everybody(Body body) {
    Peer caller(body);
    CHECK_REACHED_THE_END_OR_SKIP(caller);
    Peer ordinary([&] {
        become_ordinary_user();
        body();
    });
    CHECK_REACHED_THE_END_OR_SKIP(ordinary);
}

}  // namespace syncspawn::testing
