#include "gates.hpp"

#include <string>

#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

void remember(Gates& settings, const std::string& option) {
    if (settings.first_option.empty()) {
        settings.first_option = option;
    }
}

Option descriptor_row(std::string_view name, std::string_view help, std::string_view group,
                      Gates& settings, int Gates::*member) {
    return {name, "FD", help, group, [&settings, name, member](const Given& given) {
                settings.*member = parse_open_descriptor(*given.value);
                remember(settings, std::string(name));
            }};
}

}  // namespace

void add_gate_options(std::vector<Option>& rows, Gates& settings) {
    rows.push_back(descriptor_row("--block-fd",
                                  "Do not run PROGRAM before a byte can be read from FD", "Gates",
                                  settings, &Gates::block));
    rows.push_back(descriptor_row(
        "--userns-block-fd", "Let others write the id maps: a byte from FD says that they have", "",
        settings, &Gates::user_namespace));
    rows.push_back(descriptor_row("--info-fd",
                                  "Write the child's pid and namespaces to FD, as JSON", "",
                                  settings, &Gates::info));
    rows.push_back(descriptor_row("--json-status-fd",
                                  "The same on one line, and the exit code when PROGRAM has ended",
                                  "", settings, &Gates::status));
    rows.push_back({"--sync-fd", "FD", "Keep FD open until PROGRAM has ended", "",
                    [&settings](const Given& given) {
                        settings.sync.push_back(parse_open_descriptor(*given.value));
                        remember(settings, "--sync-fd");
                    }});
    rows.push_back({"--lock-file", "PATH", "Hold a read lock on PATH until PROGRAM has ended", "",
                    [&settings](const Given& given) {
                        if (given.value->empty()) {
                            throw UsageError("must not be empty");
                        }
                        settings.lock_files.push_back(*given.value);
                        remember(settings, "--lock-file");
                    }});
}

}  // namespace syncspawn::tools
