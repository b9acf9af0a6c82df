#pragma once

#include <doctest/doctest.h>

#include <vector>

#include "support/launched.hpp"
#include "support/observe.hpp"

namespace syncspawn::testing {

// Checks at its end that there is no child and no descriptor that was not there at its beginning.
class NothingIsLeft {
public:
    NothingIsLeft() = default;
    NothingIsLeft(const NothingIsLeft&) = delete;
    NothingIsLeft& operator=(const NothingIsLeft&) = delete;
    ~NothingIsLeft() {
        CHECK(open_descriptors() == before_);
        CHECK(count_children() == 0);
    }

private:
    std::vector<int> before_ = open_descriptors();
};

}  // namespace syncspawn::testing
