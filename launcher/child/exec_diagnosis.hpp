#pragma once

#include "barrier/linux/bounded_text.hpp"

namespace syncspawn::detail {

// Why execve refused a file, found out in the child: it alone sees the final root and directory.
// Async-signal-safe.
class ExecDiagnosis {
public:
    ExecDiagnosis(const char* path, int error) noexcept;
    // Empty where the errno says all there is to say.
    [[nodiscard]] const char* text() const noexcept { return buffer_; }
    ExecDiagnosis(const ExecDiagnosis&) = delete;
    ExecDiagnosis& operator=(const ExecDiagnosis&) = delete;

private:
    void explain_missing(const char* path) noexcept;
    void explain_refusal(const char* path) noexcept;
    void explain_format(const char* path) noexcept;
    void explain_script(const char* line, const char* end) noexcept;
    void explain_elf(const unsigned char* header) noexcept;
    void explain_lack_of_permission(const char* path) noexcept;

    char buffer_[120] = {};
    BoundedText text_{buffer_};
};

}  // namespace syncspawn::detail
