#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace syncspawn::tools {

// A JSON string with its quotes, in ASCII but for what is UTF-8 in the text. A byte that is not UTF-8 becomes
// U+FFFD, for no reader of JSON need take it.
std::string json_string(std::string_view text);

// An object, written member by member.
class JsonObject {
public:
    JsonObject& text(std::string_view key, std::string_view value);
    JsonObject& number(std::string_view key, std::int64_t value);
    // Seconds, to the microsecond.
    JsonObject& seconds(std::string_view key, std::chrono::nanoseconds value);
    // What is JSON already.
    JsonObject& raw(std::string_view key, std::string_view json);

    [[nodiscard]] std::string to_string() const { return members_ + "}"; }

private:
    std::string members_ = "{";
};

}  // namespace syncspawn::tools
