#include "json.hpp"

#include <cstdio>

#include "utf8.hpp"

namespace syncspawn::tools {
namespace {

std::string escaped(unsigned char character) {
    switch (character) {
        case '"':
            return "\\\"";
        case '\\':
            return "\\\\";
        case '\n':
            return "\\n";
        case '\t':
            return "\\t";
        default:
            break;
    }
    if (character >= ' ' && character != 0x7f) {
        return {static_cast<char>(character)};
    }
    char code[8];
    std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(character));
    return code;
}

}  // namespace

std::string json_string(std::string_view text) {
    std::string result = "\"";
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) {
            result += "\\ufffd";
        } else if (length == 1) {
            result += escaped(static_cast<unsigned char>(text.front()));
        } else {
            result += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return result + "\"";
}

JsonObject& JsonObject::text(std::string_view key, std::string_view value) {
    return raw(key, json_string(value));
}

JsonObject& JsonObject::number(std::string_view key, std::int64_t value) {
    return raw(key, std::to_string(value));
}

JsonObject& JsonObject::seconds(std::string_view key, std::chrono::nanoseconds value) {
    char number[40];
    std::snprintf(number, sizeof number, "%.6f", std::chrono::duration<double>(value).count());
    return raw(key, number);
}

JsonObject& JsonObject::raw(std::string_view key, std::string_view json) {
    members_ += members_.size() > 1 ? "," : "";
    members_ += json_string(key) + ":";
    members_ += json;
    return *this;
}

}  // namespace syncspawn::tools
