#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <new>
#include <string_view>
#include <system_error>
#include <typeinfo>

#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/detail/loaded_object.hpp>

namespace syncspawn::for_boost::detail {

/// The error code of a hook in the child, for the parent: memory that a fork does not copy. A category
/// is the same object on both sides, since the child has executed nothing yet.
class ChildReport {
public:
    ChildReport() {
        void* const memory = mmap(nullptr, sizeof(Content), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "mmap");
        }
        content_ = new (memory) Content;
    }
    ~ChildReport() { munmap(content_, sizeof(Content)); }
    ChildReport(const ChildReport&) = delete;
    ChildReport& operator=(const ChildReport&) = delete;

    /// In the child. Async-signal-safe.
    void set(const error_code& error) noexcept {
        if (is_of_std(error)) {
            const std::error_code inner = error;
            content_->value = inner.value();
            content_->std_category.store(&inner.category(), std::memory_order_release);
        } else {
            content_->value = error.value();
            content_->category.store(&error.category(), std::memory_order_release);
        }
    }
    /// In the parent, once the child has failed: no error if it did not say. The child may have written
    /// anything: a category is followed only if it certainly is one.
    [[nodiscard]] error_code get() const noexcept {
        using syncspawn::detail::is_loaded_object;
        const auto* const its = content_->std_category.load(std::memory_order_acquire);
        if (is_loaded_object(its, typeid(std::error_category))) {
            return std::error_code(content_->value, *its);
        }
        const auto* const category = content_->category.load(std::memory_order_acquire);
        return is_loaded_object(category, typeid(boost::system::error_category))
                   ? error_code(content_->value, *category)
                   : error_code();
    }

    /// Boost's error code may hold one of the standard library, whose value and category it does not tell.
    static bool is_of_std(const error_code& error) noexcept {
        return std::string_view(error.category().name()) == "std:unknown";
    }

private:
    struct Content {
        int value = 0;
        std::atomic<const boost::system::error_category*> category{nullptr};
        std::atomic<const std::error_category*> std_category{nullptr};
    };
    Content* content_;
};

}  // namespace syncspawn::for_boost::detail
