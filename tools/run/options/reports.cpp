#include "reports.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

TimelineForm form_of(const std::string& file) {
    if (file.ends_with(".svg")) {
        return TimelineForm::svg;
    }
    return file.ends_with(".json") ? TimelineForm::trace : TimelineForm::text;
}

// It is written at the end, when it is too late to be told that it cannot be.
void refuse_unwritable(const std::string& file) {
    struct stat about {};
    const bool is_there = stat(file.c_str(), &about) == 0;
    if (is_there && S_ISDIR(about.st_mode)) {
        throw UsageError("'" + file + "' is a directory");
    }
    const bool is_replaced = !is_there || S_ISREG(about.st_mode);
    const std::size_t slash = file.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : file.substr(0, slash + 1);
    if (access((is_replaced ? directory : file).c_str(), W_OK) < 0) {
        throw UsageError("cannot write '" + file + "': " + std::generic_category().message(errno));
    }
}

// The program is not to hold it open: who reads it waits for its end.
int taken_descriptor(const std::string& text) {
    const int fd = parse_open_descriptor(text);
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
        throw UsageError("descriptor " + text + " is not open for writing");
    }
    if (fd > STDERR_FILENO) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
}

}  // namespace

void add_report_options(std::vector<Option>& rows, ReportSettings& settings) {
    const auto remember = [&settings](const char* name) {
        if (settings.first_option.empty()) {
            settings.first_option = name;
        }
    };
    rows.push_back({"--timeline", "[=FILE]",
                    "Draw what parent and child did when, to the end of the program: on stderr, or "
                    "into FILE (.svg: a picture, .json: for Perfetto)",
                    "Reports", [&settings, remember](const Given& given) {
                        remember("--timeline");
                        settings.timeline = TimelineWish{};
                        if (given.value) {
                            refuse_unwritable(*given.value);
                            settings.timeline = {form_of(*given.value), *given.value};
                        }
                    }});
    rows.push_back({"--status-fd", "FD", "Write what happens to descriptor FD, as JSON lines", "",
                    [&settings, remember](const Given& given) {
                        remember("--status-fd");
                        settings.status_fd = taken_descriptor(*given.value);
                    }});
}

}  // namespace syncspawn::tools
