#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <syncspawn/boost/detail/hooks.hpp>

namespace syncspawn::for_boost::detail {

/// argv as the hooks see it: the program, its arguments, a null pointer. It is made from whatever Boost's
/// launchers take: a range of strings or of C strings, or an argv that ends in a null pointer.
class ArgumentList {
public:
    template <class Range>
    ArgumentList(const Path& exe, const Range& arguments) {
        if constexpr (std::is_convertible_v<const Range&, Arguments>) {
            finished_ = arguments;
        } else {
            texts_.push_back(exe.native());
            for (const auto& one : arguments) {
                if constexpr (std::is_convertible_v<decltype(one), std::string_view>) {
                    texts_.emplace_back(std::string_view(one));
                } else if constexpr (requires { one.c_str(); }) {  // a cstring_ref, a path
                    texts_.emplace_back(one.c_str());
                } else {  // a string view of Boost
                    texts_.emplace_back(one.data(), one.size());
                }
            }
            for (const std::string& text : texts_) {
                pointers_.push_back(text.c_str());
            }
            pointers_.push_back(nullptr);
            finished_ = pointers_.data();
        }
    }
    ArgumentList(const ArgumentList&) = delete;
    ArgumentList& operator=(const ArgumentList&) = delete;

    [[nodiscard]] Arguments argv() const noexcept { return finished_; }

private:
    std::vector<std::string> texts_;
    std::vector<const char*> pointers_;
    Arguments finished_ = nullptr;
};

}  // namespace syncspawn::for_boost::detail
