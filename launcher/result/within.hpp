#pragma once

namespace syncspawn::detail {

// Sets a flag for as long as it is there: whoever is called meanwhile can tell.
class Within {
public:
    explicit Within(bool& flag) noexcept : flag_(flag) { flag_ = true; }
    ~Within() { flag_ = false; }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

private:
    bool& flag_;
};

}  // namespace syncspawn::detail
