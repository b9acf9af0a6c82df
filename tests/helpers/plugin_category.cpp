// An error category that is there only in processes that load this.

#include <string>
#include <system_error>

namespace {

class PluginCategory final : public std::error_category {
public:
    const char* name() const noexcept override { return "plug-in"; }
    std::string message(int value) const override {
        return "plug-in error " + std::to_string(value);
    }
};

const PluginCategory plugin_category;

}  // namespace

extern "C" const std::error_category* its_category() { return &plugin_category; }
