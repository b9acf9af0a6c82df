#pragma once

namespace syncspawn::detail {

// Why execve refused a file, found out in the child: it alone sees the final root and directory.
// Async-signal-safe.
class ExecDiagnosis {
public:
    ExecDiagnosis(const char* path, int error) noexcept;
    // Empty where the errno says all there is to say.
    [[nodiscard]] const char* text() const noexcept { return text_; }

private:
    void add(const char* text) noexcept;
    void explain_missing(const char* path) noexcept;
    void explain_refusal(const char* path) noexcept;
    void explain_format(const char* path) noexcept;
    void explain_script(const char* line, const char* end) noexcept;
    void explain_elf(const unsigned char* header) noexcept;
    void explain_lack_of_permission(const char* path) noexcept;

    char text_[120] = {};
    unsigned size_ = 0;
};

}  // namespace syncspawn::detail
